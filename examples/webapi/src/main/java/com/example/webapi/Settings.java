package com.example.webapi;

import java.io.IOException;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import java.util.SortedMap;

/** What differs between environments; written by confd from the environment's config centre, read once at start. */
public record Settings(
        String environment, String greeting, Theme theme, Database db, SortedMap<String, Boolean> features) {

    public record Theme(String name, String color) {}

    /** @param pool most connections at a time */
    public record Database(String url, String user, Secret password, int pool) {}

    /**
     * Reads a properties file in UTF-8.
     *
     * @throws SettingsException when the file cannot be read or its content cannot be used
     */
    public static Settings load(Path file) throws SettingsException {
        Properties properties = new Properties();
        try (Reader reader = Files.newBufferedReader(file, StandardCharsets.UTF_8)) {
            properties.load(reader);
        } catch (NoSuchFileException e) {
            throw new SettingsException(file.toString(), List.of("the file does not exist"));
        } catch (IOException | IllegalArgumentException e) {
            throw new SettingsException(file.toString(), List.of("the file cannot be read: " + e));
        }
        return from(properties, file.toString());
    }

    static Settings from(Properties properties, String origin) throws SettingsException {
        SettingsReader reader = new SettingsReader(properties);
        Settings settings = new Settings(
                reader.text("environment"),
                reader.text("greeting"),
                new Theme(reader.text("theme.name"), reader.color("theme.color")),
                new Database(
                        reader.jdbcUrl("db.url"),
                        reader.text("db.user"),
                        reader.secret("db.password"),
                        reader.number("db.pool", 1, 500)),
                reader.switches("feature."));
        if (!reader.problems().isEmpty()) {
            throw new SettingsException(origin, reader.problems());
        }
        return settings;
    }
}
