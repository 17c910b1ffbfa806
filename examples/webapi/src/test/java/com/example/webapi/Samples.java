package com.example.webapi;

import java.util.Properties;

/** Settings as confd writes them, for the tests to spoil. */
final class Samples {
    static final String PASSWORD = "s3cret-of-the-tests";

    private Samples() {}

    static Properties complete() {
        Properties properties = new Properties();
        properties.setProperty("environment", "test");
        properties.setProperty("greeting", "Hello");
        properties.setProperty("theme.name", "plain");
        properties.setProperty("theme.color", "#336699");
        properties.setProperty("db.url", "jdbc:mysql://db.test.example.com:3306/webapi");
        properties.setProperty("db.user", "webapi");
        properties.setProperty("db.password", PASSWORD);
        properties.setProperty("db.pool", "10");
        properties.setProperty("feature.search", "true");
        properties.setProperty("feature.checkout", "false");
        return properties;
    }
}
