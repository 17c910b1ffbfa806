package com.example.webapi;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.util.Map;

/** GET /greeting?name=Ada: greets in the environment's words and colours. */
public final class GreetingServlet extends ConfiguredServlet {
    private static final long serialVersionUID = 1L;
    private static final int LONGEST_NAME = 80;

    @Override
    Answer answer(App app, Settings settings, HttpServletRequest request) {
        String given = request.getParameter("name");
        String name = given == null || given.isBlank() ? "stranger" : given.strip();
        if (name.length() > LONGEST_NAME) {
            return Answer.error(
                    HttpServletResponse.SC_BAD_REQUEST, "name may have at most " + LONGEST_NAME + " characters");
        }
        return Answer.ok(Map.of(
                "message", settings.greeting() + ", " + name + "!",
                "theme", settings.theme(),
                "environment", settings.environment(),
                "version", app.version()));
    }
}
