package com.example.webapi;

import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** Typed reads from properties; collects every problem, so that one look at the message is enough. */
final class SettingsReader {
    private static final Pattern COLOR = Pattern.compile("#[0-9a-fA-F]{6}");
    private static final Pattern JDBC_URL = Pattern.compile("jdbc:[a-z0-9]+:\\S+");
    private static final Pattern CREDENTIALS = Pattern.compile("(?i)(password|pwd)=|//[^/@]*:[^/@]*@");

    private final Properties properties;
    private final List<String> problems = new ArrayList<>();

    SettingsReader(Properties properties) {
        this.properties = properties;
    }

    List<String> problems() {
        return List.copyOf(problems);
    }

    /** The value of a mandatory key; a missing or blank one is a problem and reads as "". */
    String text(String key) {
        String value = properties.getProperty(key);
        if (value == null) {
            problems.add(key + " is missing");
            return "";
        }
        if (value.isBlank()) {
            problems.add(key + " is empty");
            return "";
        }
        return value;
    }

    Secret secret(String key) {
        return new Secret(text(key));
    }

    /** A whole number between the bounds, both included. */
    int number(String key, int min, int max) {
        String value = text(key);
        if (value.isEmpty()) {
            return min;
        }
        try {
            int number = Integer.parseInt(value);
            if (number >= min && number <= max) {
                return number;
            }
        } catch (NumberFormatException e) {
            // The same sentence tells about both: not a number, and out of bounds.
        }
        problems.add(key + " must be a whole number from " + min + " to " + max + ", not '" + value + "'");
        return min;
    }

    String color(String key) {
        String value = text(key);
        if (!value.isEmpty() && !COLOR.matcher(value).matches()) {
            problems.add(key + " must be a colour like #1a2b3c, not '" + value + "'");
        }
        return value;
    }

    /** A JDBC URL without credentials in it: those have keys of their own, which are never shown. */
    String jdbcUrl(String key) {
        String value = text(key);
        if (CREDENTIALS.matcher(value).find()) {
            problems.add(key + " must not carry a password; db.password is the place for it");
        } else if (!value.isEmpty() && !JDBC_URL.matcher(value).matches()) {
            problems.add(key + " must be a JDBC URL like jdbc:mysql://db.example.com:3306/webapi");
        }
        return value;
    }

    /** All keys under the prefix as switches: {@code feature.search=true} is {@code search -> true}. */
    SortedMap<String, Boolean> switches(String prefix) {
        SortedMap<String, Boolean> switches = new TreeMap<>();
        for (String key : new TreeSet<>(properties.stringPropertyNames())) {
            if (key.startsWith(prefix)) {
                switches.put(key.substring(prefix.length()), bool(key));
            }
        }
        return switches;
    }

    private boolean bool(String key) {
        String value = text(key);
        if (!value.isEmpty() && !value.equals("true") && !value.equals("false")) {
            problems.add(key + " must be true or false, not '" + value + "'");
        }
        return value.equals("true");
    }
}
