import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.concurrent.Executors;

/** Reads paths as servlet containers do: removes parameters after ";", decodes, resolves dots. */
public class Backend {
  public static void main(String[] args) throws IOException {
    int port = Integer.parseInt(System.getenv("PORT"));
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
    server.createContext("/", Backend::answer);
    server.setExecutor(Executors.newFixedThreadPool(2));
    server.start();
    System.out.println("listening on " + port);
  }

  static void answer(HttpExchange exchange) throws IOException {
    exchange.getRequestBody().readAllBytes();
    String path = servletPath(exchange.getRequestURI().getRawPath());
    boolean isTransfer = path.equals("/java/transfers") || path.startsWith("/java/transfers/");
    String text = "{\"handler\":\"" + (isTransfer ? "transfers" : "other") + "\",\"path\":" + quoted(path) + "}";
    byte[] body = text.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("content-type", "application/json");
    exchange.sendResponseHeaders(200, body.length);
    exchange.getResponseBody().write(body);
    exchange.close();
  }

  static String servletPath(String raw) {
    String withoutParameters = raw.replaceAll(";[^/]*", "");
    String decoded = URLDecoder.decode(withoutParameters.replace("+", "%2B"), StandardCharsets.UTF_8);
    String slashes = decoded.replace('\\', '/').replaceAll("/{2,}", "/");
    ArrayDeque<String> segments = new ArrayDeque<>();
    for (String segment : slashes.substring(1).split("/", -1)) {
      if (segment.equals("..")) segments.pollLast();
      else if (!segment.equals(".")) segments.addLast(segment);
    }
    return "/" + String.join("/", segments);
  }

  static String quoted(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    for (char unit : text.toCharArray()) quoted.append(String.format("\\u%04x", (int) unit));
    return quoted.append('"').toString();
  }
}
