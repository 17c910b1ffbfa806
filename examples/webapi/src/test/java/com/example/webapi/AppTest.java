package com.example.webapi;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.util.Map;
import java.util.Properties;
import org.junit.jupiter.api.Test;

class AppTest {
    private final Properties system = new Properties();

    @Test
    void settingsFileByPropertyThenVariableThenDefault() {
        Map<String, String> variables = Map.of("WEBAPI_SETTINGS", "/from/variable");

        assertEquals(Path.of("/etc/webapi/webapi.properties"), App.settingsFile(system, Map.of()));
        assertEquals(Path.of("/from/variable"), App.settingsFile(system, variables));
        system.setProperty("webapi.settings", "/from/property");
        assertEquals(Path.of("/from/property"), App.settingsFile(system, variables));
    }
}
