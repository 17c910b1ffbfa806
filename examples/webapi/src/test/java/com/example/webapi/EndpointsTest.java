package com.example.webapi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import org.apache.catalina.LifecycleException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EndpointsTest {
    private static final ObjectMapper MAPPER = new ObjectMapper();
    private static WebApp app;

    @BeforeAll
    static void start(@TempDir Path folder) throws IOException, LifecycleException {
        app = WebApp.start(folder, Samples.complete());
    }

    @AfterAll
    static void stop() throws LifecycleException {
        app.close();
    }

    private static JsonNode json(int status, HttpResponse<String> response) throws IOException {
        assertEquals(status, response.statusCode(), response.body());
        assertEquals("application/json;charset=UTF-8", response.headers().firstValue("Content-Type").orElse(""));
        assertEquals("no-store", response.headers().firstValue("Cache-Control").orElse(""));
        return MAPPER.readTree(response.body());
    }

    @Test
    void healthTellsVersionAndEnvironment() throws Exception {
        JsonNode health = json(200, app.get("/health"));
        assertEquals("ok", health.get("status").asText());
        assertEquals("test", health.get("environment").asText());
        assertEquals(System.getProperty("webapi.expected.version"), health.get("version").asText());
    }

    @Test
    void versionIsTheBuilds() throws Exception {
        JsonNode version = json(200, app.get("/version"));
        assertEquals("webapi", version.get("name").asText());
        assertEquals(System.getProperty("webapi.expected.version"), version.get("version").asText());
    }

    @Test
    void settingsAreShownWithoutTheSecret() throws Exception {
        HttpResponse<String> response = app.get("/settings");
        JsonNode expected = MAPPER.readTree(
                """
                {"environment": "test", "greeting": "Hello", "theme": {"name": "plain", "color": "#336699"},
                 "db": {"url": "jdbc:mysql://db.test.example.com:3306/webapi", "user": "webapi",
                        "password": "********", "pool": 10},
                 "features": {"checkout": false, "search": true}}
                """);
        assertEquals(expected, json(200, response));
        assertFalse(response.body().contains(Samples.PASSWORD));
    }

    @Test
    void greetsByName() throws Exception {
        JsonNode greeting = json(200, app.get("/greeting?name=Ren%C3%A9"));
        assertEquals("Hello, René!", greeting.get("message").asText());
        assertEquals("#336699", greeting.get("theme").get("color").asText());
        assertEquals("test", greeting.get("environment").asText());
    }

    @ParameterizedTest
    @ValueSource(strings = {"/greeting", "/greeting?name=", "/greeting?name=%20"})
    void greetsAStranger(String path) throws Exception {
        assertEquals("Hello, stranger!", json(200, app.get(path)).get("message").asText());
    }

    @Test
    void refusesAnEndlessName() throws Exception {
        JsonNode error = json(400, app.get("/greeting?name=" + "x".repeat(81)));
        assertEquals("name may have at most 80 characters", error.get("error").asText());
        json(200, app.get("/greeting?name=" + "x".repeat(80)));
    }

    @Test
    void slowTakesItsTime() throws Exception {
        long start = System.nanoTime();
        JsonNode slow = json(200, app.get("/slow?ms=300"));
        assertTrue(System.nanoTime() - start >= 300_000_000L);
        assertEquals(300, slow.get("waited_ms").asInt());
    }

    @ParameterizedTest
    @ValueSource(strings = {"-1", "-2147483648", "30001", "soon", "", "1.5", "99999999999"})
    void slowHasBounds(String ms) throws Exception {
        JsonNode error = json(400, app.get("/slow?ms=" + ms));
        assertEquals("ms must be a whole number from 0 to 30000", error.get("error").asText());
    }

    @Test
    void unknownPageIsJson() throws Exception {
        assertEquals("no such page", json(404, app.get("/nothing")).get("error").asText());
        assertEquals("no such page", json(404, app.get("/error")).get("error").asText());
    }

    @Test
    void otherMethodsAreRefused() throws Exception {
        assertEquals("method not allowed", json(405, app.send("POST", "/settings")).get("error").asText());
    }
}
