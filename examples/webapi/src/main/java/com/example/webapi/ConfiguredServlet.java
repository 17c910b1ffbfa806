package com.example.webapi;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;

/** A servlet that needs the settings; without them it answers 503 with the reason. */
abstract class ConfiguredServlet extends JsonServlet {
    private static final long serialVersionUID = 1L;

    abstract Answer answer(App app, Settings settings, HttpServletRequest request);

    @Override
    final Answer answer(App app, HttpServletRequest request) {
        return app.settings()
                .map(settings -> answer(app, settings, request))
                .orElseGet(() -> Answer.error(HttpServletResponse.SC_SERVICE_UNAVAILABLE, app.reason()));
    }
}
