package com.example.webapi;

import jakarta.servlet.http.HttpServletRequest;

/** GET /settings: the environment's own settings; {@link Secret} keeps the password out. */
public final class SettingsServlet extends ConfiguredServlet {
    private static final long serialVersionUID = 1L;

    @Override
    Answer answer(App app, Settings settings, HttpServletRequest request) {
        return Answer.ok(settings);
    }
}
