package com.example.webapi;

import jakarta.servlet.RequestDispatcher;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Map;

/** The error page of the container: any method, status and message as JSON, nothing about the inside. */
public final class ErrorServlet extends JsonServlet {
    private static final long serialVersionUID = 1L;
    private static final Map<Integer, String> MESSAGES = Map.of(
            HttpServletResponse.SC_NOT_FOUND, "no such page",
            HttpServletResponse.SC_METHOD_NOT_ALLOWED, "method not allowed");

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response)
            throws ServletException, IOException {
        write(response, answer(App.of(getServletContext()), request));
    }

    @Override
    Answer answer(App app, HttpServletRequest request) {
        Integer status = (Integer) request.getAttribute(RequestDispatcher.ERROR_STATUS_CODE);
        if (status == null) {
            status = HttpServletResponse.SC_NOT_FOUND; // /error itself was asked for
        }
        String other = status < 500 ? "the request cannot be answered" : "an error inside; see the log";
        return Answer.error(status, MESSAGES.getOrDefault(status, other));
    }
}
