package com.example.webapi;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Objects;

/** A value that logs, JSON and exception texts never show. */
public final class Secret {
    static final String MASK = "********";

    private final String value;

    public Secret(String value) {
        this.value = Objects.requireNonNull(value);
    }

    /** The value in the clear, for the one who logs in with it. */
    public String reveal() {
        return value;
    }

    @JsonValue
    @Override
    public String toString() {
        return MASK;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Secret secret && secret.value.equals(value);
    }

    @Override
    public int hashCode() {
        return value.hashCode();
    }
}
