import java.io.StringReader;
import java.io.StringWriter;
import java.sql.*;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;

/** What JDBC clients do, in each way that the driver has to send statements. Prints a line for each. */
public class Jdbc {
  public static void main(String[] arguments) throws Exception {
    for (String mode : new String[] {"simple", "extended", "extendedForPrepared", "extendedCacheEverything"}) {
      try (Connection c = DriverManager.getConnection(arguments[0] + "&preferQueryMode=" + mode)) {
        say(mode, "rows", rows(c));
        say(mode, "cursor", cursor(c));
        say(mode, "batch", batch(c));
        say(mode, "keys", keys(c));
        say(mode, "savepoint", savepoint(c));
        if (!mode.equals("simple")) say(mode, "copy", copy(c));
        say(mode, "metadata", metadata(c));
        say(mode, "cancel", cancel(c));
      }
    }
  }

  static void say(String mode, String what, Object got) { System.out.println(mode + " " + what + " " + got); }

  static int rows(Connection c) throws SQLException {
    int sum = 0;
    try (PreparedStatement s = c.prepareStatement("SELECT id, customer, placed, note FROM sales.orders WHERE id <= ?")) {
      for (int n = 1; n <= 8; n++) { // From the fifth on the driver prepares it on the server, and reads binary.
        s.setInt(1, n);
        try (ResultSet r = s.executeQuery()) {
          while (r.next()) {
            if (!r.getString(2).equals("customer " + r.getInt(1)) || r.getTimestamp(3) == null || r.getBytes(4).length != 16) return -1;
            sum++;
          }
        }
      }
    }
    return sum;
  }

  static int cursor(Connection c) throws SQLException {
    c.setAutoCommit(false);
    int count = 0;
    try (Statement s = c.createStatement()) {
      s.setFetchSize(30);
      try (ResultSet r = s.executeQuery("SELECT id FROM sales.orders WHERE id <= 500")) {
        while (r.next()) count++;
      }
    }
    c.commit();
    c.setAutoCommit(true);
    return count;
  }

  static int batch(Connection c) throws SQLException {
    try (PreparedStatement s = c.prepareStatement("UPDATE sales.orders SET customer = customer WHERE id = ?")) {
      for (int i = 1; i <= 100; i++) {
        s.setInt(1, i);
        s.addBatch();
      }
      int sum = 0;
      for (int n : s.executeBatch()) sum += n;
      return sum;
    }
  }

  static boolean keys(Connection c) throws SQLException {
    try (PreparedStatement s = c.prepareStatement("INSERT INTO sales.orders (id, customer) VALUES ((SELECT max(id) + 1 FROM sales.orders), ?)", Statement.RETURN_GENERATED_KEYS)) {
      s.setString(1, "O'Brien \u20ac");
      s.executeUpdate();
      try (ResultSet r = s.getGeneratedKeys()) {
        return r.next() && r.getString("customer").equals("O'Brien \u20ac");
      }
    }
  }

  static String savepoint(Connection c) throws SQLException {
    c.setAutoCommit(false);
    try (Statement s = c.createStatement()) {
      Savepoint before = c.setSavepoint();
      try {
        s.executeQuery("SELECT 1 / 0");
        return "no error";
      } catch (SQLException e) {
        c.rollback(before);
        s.executeQuery("SELECT 1").close();
        return e.getSQLState();
      }
    } finally {
      c.rollback();
      c.setAutoCommit(true);
    }
  }

  static String copy(Connection c) throws Exception {
    CopyManager m = c.unwrap(PGConnection.class).getCopyAPI();
    try (Statement s = c.createStatement()) { s.execute("CREATE TEMP TABLE copied (a int, b text)"); }
    long in = m.copyIn("COPY copied FROM STDIN", new StringReader("1\tone\n2\ttwo\n"));
    StringWriter out = new StringWriter();
    m.copyOut("COPY copied TO STDOUT (FORMAT csv)", out);
    return in + " " + out.toString().replace("\n", ";");
  }

  static String metadata(Connection c) throws SQLException {
    DatabaseMetaData m = c.getMetaData();
    StringBuilder list = new StringBuilder();
    try (ResultSet r = m.getColumns(null, "sales", "orders", null)) {
      while (r.next()) list.append(r.getString("COLUMN_NAME")).append(' ');
    }
    try (ResultSet r = m.getPrimaryKeys(null, "sales", "orders")) {
      while (r.next()) list.append("key ").append(r.getString("COLUMN_NAME"));
    }
    return list.toString();
  }

  static String cancel(Connection c) throws SQLException {
    try (Statement s = c.createStatement()) {
      s.setQueryTimeout(1);
      s.executeQuery("SELECT pg_sleep(60)");
      return "not cancelled";
    } catch (SQLException e) {
      return e.getSQLState();
    }
  }
}
