package com.example.webapi;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.catalina.LifecycleException;
import org.apache.catalina.startup.Tomcat;

/** The app as it is deployed (its own web.xml), in a Tomcat inside the test. */
final class WebApp implements AutoCloseable {
    private static final Logger TOMCAT_LOG = Logger.getLogger("org.apache");

    private final Tomcat tomcat = new Tomcat();
    private final HttpClient client = HttpClient.newHttpClient();

    /** @param settings the content of the settings file, or null for none */
    static WebApp start(Path folder, Properties settings) throws IOException, LifecycleException {
        Path file = folder.resolve("webapi.properties");
        if (settings != null) {
            try (var out = Files.newBufferedWriter(file)) {
                settings.store(out, null);
            }
        }
        String before = System.setProperty(App.FILE_PROPERTY, file.toString());
        try {
            return new WebApp(folder);
        } finally {
            if (before == null) {
                System.clearProperty(App.FILE_PROPERTY);
            } else {
                System.setProperty(App.FILE_PROPERTY, before);
            }
        }
    }

    private WebApp(Path folder) throws LifecycleException {
        TOMCAT_LOG.setLevel(Level.SEVERE);
        tomcat.setBaseDir(folder.toString());
        tomcat.setHostname("localhost");
        tomcat.setPort(0);
        tomcat.setAddDefaultWebXmlToWebapp(false);
        tomcat.addWebapp("", Path.of("src/main/webapp").toAbsolutePath().toString())
                .setParentClassLoader(WebApp.class.getClassLoader());
        tomcat.getConnector();
        tomcat.start();
    }

    HttpResponse<String> get(String path) throws IOException, InterruptedException {
        return send("GET", path);
    }

    HttpResponse<String> send(String method, String path) throws IOException, InterruptedException {
        URI uri = URI.create("http://localhost:" + tomcat.getConnector().getLocalPort() + path);
        HttpRequest request = HttpRequest.newBuilder(uri)
                .method(method, HttpRequest.BodyPublishers.noBody())
                .build();
        return client.send(request, HttpResponse.BodyHandlers.ofString());
    }

    @Override
    public void close() throws LifecycleException {
        tomcat.stop();
        tomcat.destroy();
    }
}
