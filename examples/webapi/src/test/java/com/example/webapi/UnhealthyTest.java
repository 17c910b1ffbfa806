package com.example.webapi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.Properties;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UnhealthyTest {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    @TempDir
    private Path folder;

    private static String reason(WebApp app) throws Exception {
        HttpResponse<String> response = app.get("/health");
        assertEquals(503, response.statusCode());
        JsonNode health = MAPPER.readTree(response.body());
        assertEquals("failed", health.get("status").asText());
        return health.get("reason").asText();
    }

    @Test
    void tellsThatTheFileIsMissing() throws Exception {
        try (WebApp app = WebApp.start(folder, null)) {
            String file = folder.resolve("webapi.properties").toString();
            assertEquals("settings of " + file + " cannot be used: the file does not exist", reason(app));
        }
    }

    @Test
    void tellsWhichSettingIsMissing() throws Exception {
        Properties properties = Samples.complete();
        properties.remove("db.url");
        try (WebApp app = WebApp.start(folder, properties)) {
            assertTrue(reason(app).endsWith("cannot be used: db.url is missing"));
        }
    }

    @Test
    void refusesWorkButTellsItsVersion() throws Exception {
        try (WebApp app = WebApp.start(folder, null)) {
            assertEquals(503, app.get("/greeting").statusCode());
            assertEquals(503, app.get("/settings").statusCode());
            assertEquals(200, app.get("/version").statusCode());
        }
    }
}
