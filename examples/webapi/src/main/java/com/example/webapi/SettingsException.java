package com.example.webapi;

import java.util.List;

/** The settings cannot be used; carries every problem that was found, not only the first. */
public final class SettingsException extends Exception {
    private static final long serialVersionUID = 1L;

    /**
     * @param origin   where the settings come from, as the operator knows it (a path)
     * @param problems one sentence each, never with a secret's value
     */
    public SettingsException(String origin, List<String> problems) {
        super("settings of " + origin + " cannot be used: " + String.join("; ", problems));
    }
}
