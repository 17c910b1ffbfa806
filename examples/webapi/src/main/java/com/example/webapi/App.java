package com.example.webapi;

import jakarta.servlet.ServletContext;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;

/** What the servlets share: the version, and either the settings or the reason why there are none. */
record App(String version, Optional<Settings> settings, String reason) {
    static final String FILE_PROPERTY = "webapi.settings";
    static final String FILE_VARIABLE = "WEBAPI_SETTINGS";
    static final String DEFAULT_FILE = "/etc/webapi/webapi.properties";

    private static final String ATTRIBUTE = App.class.getName();

    static App load(Path file) {
        String version = buildVersion();
        try {
            return new App(version, Optional.of(Settings.load(file)), "");
        } catch (SettingsException e) {
            return new App(version, Optional.empty(), e.getMessage());
        }
    }

    /** System property first, then environment variable, then the place where confd writes. */
    static Path settingsFile(Properties system, Map<String, String> variables) {
        String fallback = variables.getOrDefault(FILE_VARIABLE, DEFAULT_FILE);
        return Path.of(system.getProperty(FILE_PROPERTY, fallback));
    }

    void store(ServletContext context) {
        context.setAttribute(ATTRIBUTE, this);
    }

    static App of(ServletContext context) {
        return (App) context.getAttribute(ATTRIBUTE);
    }

    private static String buildVersion() {
        Properties properties = new Properties();
        try (InputStream in = App.class.getResourceAsStream("/version.properties")) {
            properties.load(in);
        } catch (IOException e) {
            throw new IllegalStateException("version.properties of the build cannot be read", e);
        }
        return properties.getProperty("version");
    }
}
