package com.example.webapi;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Properties;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SettingsTest {
    private final Properties properties = Samples.complete();

    private String failure() {
        return assertThrows(SettingsException.class, () -> Settings.from(properties, "here")).getMessage();
    }

    @Test
    void readsEverySetting() throws SettingsException {
        Settings settings = Settings.from(properties, "here");

        assertAll(
                () -> assertEquals("test", settings.environment()),
                () -> assertEquals("Hello", settings.greeting()),
                () -> assertEquals(new Settings.Theme("plain", "#336699"), settings.theme()),
                () -> assertEquals("jdbc:mysql://db.test.example.com:3306/webapi", settings.db().url()),
                () -> assertEquals("webapi", settings.db().user()),
                () -> assertEquals(Samples.PASSWORD, settings.db().password().reveal()),
                () -> assertEquals(10, settings.db().pool()),
                () -> assertEquals(Map.of("search", true, "checkout", false), settings.features()));
    }

    @Test
    void featuresAreOptional() throws SettingsException {
        properties.remove("feature.search");
        properties.remove("feature.checkout");
        assertTrue(Settings.from(properties, "here").features().isEmpty());
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "environment", "greeting", "theme.name", "theme.color", "db.url", "db.user", "db.password", "db.pool"
    })
    void namesAMissingAndAnEmptySetting(String key) {
        properties.remove(key);
        assertEquals("settings of here cannot be used: " + key + " is missing", failure());
        properties.setProperty(key, " ");
        assertEquals("settings of here cannot be used: " + key + " is empty", failure());
    }

    @Test
    void reportsAllProblemsAtOnce() {
        properties.remove("greeting");
        properties.setProperty("theme.color", "blue");
        properties.setProperty("db.pool", "many");
        properties.setProperty("feature.search", "yes");
        assertEquals(
                "settings of here cannot be used: greeting is missing;"
                        + " theme.color must be a colour like #1a2b3c, not 'blue';"
                        + " db.pool must be a whole number from 1 to 500, not 'many';"
                        + " feature.search must be true or false, not 'yes'",
                failure());
    }

    @ParameterizedTest
    @ValueSource(strings = {"0", "501", "-1", "1.5", "1e2", "99999999999"})
    void boundsThePool(String pool) {
        properties.setProperty("db.pool", pool);
        assertTrue(failure().contains("db.pool must be a whole number from 1 to 500, not '" + pool + "'"));
    }

    @ParameterizedTest
    @CsvSource({
        "jdbc:mysql://db/webapi?user=a&password=hunter2, must not carry a password",
        "jdbc:sqlserver://db;Pwd=hunter2, must not carry a password",
        "jdbc:postgresql://a:hunter2@db/webapi, must not carry a password",
        "http://db/hunter2, must be a JDBC URL",
        "jdbc:, must be a JDBC URL",
    })
    void refusesAWrongUrlWithoutRepeatingIt(String url, String expected) {
        properties.setProperty("db.url", url);
        assertTrue(failure().contains("db.url " + expected));
        assertFalse(failure().contains("hunter2"));
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "jdbc:postgresql://db/webapi", "jdbc:oracle:thin:@db:1521/webapi", "jdbc:mysql:loadbalance://db1,db2/webapi",
        "jdbc:h2:mem:webapi"
    })
    void takesEveryKindOfUrl(String url) throws SettingsException {
        properties.setProperty("db.url", url);
        assertEquals(url, Settings.from(properties, "here").db().url());
    }

    @Test
    void neverPrintsThePassword() throws SettingsException {
        assertFalse(Settings.from(properties, "here").toString().contains(Samples.PASSWORD));
        properties.remove("db.user");
        assertFalse(failure().contains(Samples.PASSWORD));
    }

    @Test
    void readsUtf8AndEscapes(@TempDir Path folder) throws IOException, SettingsException {
        Path file = folder.resolve("webapi.properties");
        StringBuilder text = new StringBuilder();
        properties.setProperty("greeting", "Grüß Gott");
        properties.setProperty("db.password", "back\\\\slash = # !");
        properties.forEach((key, value) -> text.append(key).append('=').append(value).append('\n'));
        Files.writeString(file, text);

        Settings settings = Settings.load(file);

        assertEquals("Grüß Gott", settings.greeting());
        assertEquals("back\\slash = # !", settings.db().password().reveal());
    }

    @Test
    void tellsWhichFileIsMissing(@TempDir Path folder) {
        Path file = folder.resolve("none.properties");
        SettingsException e = assertThrows(SettingsException.class, () -> Settings.load(file));
        assertEquals("settings of " + file + " cannot be used: the file does not exist", e.getMessage());
    }

    @Test
    void tellsWhyAFileCannotBeRead(@TempDir Path folder) throws IOException {
        Path file = Files.write(folder.resolve("latin1.properties"), new byte[] {'a', '=', (byte) 0xe4, '\n'});
        SettingsException e = assertThrows(SettingsException.class, () -> Settings.load(file));
        assertTrue(e.getMessage().startsWith("settings of " + file + " cannot be used: the file cannot be read: "));
    }
}
