package com.example.webapi;

import jakarta.servlet.ServletContextEvent;
import jakarta.servlet.ServletContextListener;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads the settings once, at start. A failure does not stop Tomcat: /health then tells the reason, which an operator
 * reads sooner than a log.
 */
public final class Startup implements ServletContextListener {
    private static final Logger LOG = LoggerFactory.getLogger(Startup.class);

    @Override
    public void contextInitialized(ServletContextEvent event) {
        Path file = App.settingsFile(System.getProperties(), System.getenv());
        App app = App.load(file);
        app.store(event.getServletContext());
        app.settings().ifPresentOrElse(
                settings -> LOG.info("webapi {} runs in {} with {}", app.version(), settings.environment(), file),
                () -> LOG.error("webapi {} is not healthy: {}", app.version(), app.reason()));
    }
}
