package com.example.webapi;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.util.Map;

/** GET /slow?ms=2000: answers after that time; a request to have in flight while a release is replaced. */
public final class SlowServlet extends JsonServlet {
    private static final long serialVersionUID = 1L;
    private static final int DEFAULT_MS = 1_000;
    private static final int LONGEST_MS = 30_000;

    @Override
    Answer answer(App app, HttpServletRequest request) {
        int ms = milliseconds(request.getParameter("ms"));
        if (ms < 0) {
            return Answer.error(
                    HttpServletResponse.SC_BAD_REQUEST, "ms must be a whole number from 0 to " + LONGEST_MS);
        }
        try {
            Thread.sleep(ms);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Answer.error(HttpServletResponse.SC_SERVICE_UNAVAILABLE, "stopped while waiting");
        }
        return Answer.ok(Map.of("waited_ms", ms, "version", app.version()));
    }

    /** The wish in milliseconds, or -1 when it is not one. */
    private static int milliseconds(String value) {
        if (value == null) {
            return DEFAULT_MS;
        }
        try {
            int ms = Integer.parseInt(value);
            return ms <= LONGEST_MS ? Math.max(ms, -1) : -1;
        } catch (NumberFormatException e) {
            return -1;
        }
    }
}
