package com.example.webapi;

import jakarta.servlet.http.HttpServletRequest;
import java.util.Map;

/** GET /version: what was built, whether or not it can work. */
public final class VersionServlet extends JsonServlet {
    private static final long serialVersionUID = 1L;

    @Override
    Answer answer(App app, HttpServletRequest request) {
        return Answer.ok(Map.of("name", "webapi", "version", app.version()));
    }
}
