package com.example.webapi;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.util.Map;

/** GET /health: 200 with version and environment once the settings are loaded, 503 with the reason otherwise. */
public final class HealthServlet extends JsonServlet {
    private static final long serialVersionUID = 1L;

    @Override
    Answer answer(App app, HttpServletRequest request) {
        return app.settings()
                .map(settings -> Answer.ok(Map.of(
                        "status", "ok", "version", app.version(), "environment", settings.environment())))
                .orElseGet(() -> new Answer(
                        HttpServletResponse.SC_SERVICE_UNAVAILABLE,
                        Map.of("status", "failed", "version", app.version(), "reason", app.reason())));
    }
}
