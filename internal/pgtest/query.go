package pgtest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// queryTimeout bounds each helper's connection and statement.
const queryTimeout = 30 * time.Second

// DSN is a connection string of keywords and values for a login over TCP, the
// server verified by name and CA when it has TLS. The CA goes in by caFile.
func (s *Server) DSN(database, user, password, caFile string) string {
	tls := "sslmode=disable"
	if s.CAPEM != nil {
		tls = "sslmode=verify-full sslrootcert=" + quote(caFile)
	}
	return fmt.Sprintf("host=%s port=%d dbname=%s user=%s password=%s %s connect_timeout=10",
		s.Host, s.Port, quote(database), quote(user), quote(password), tls)
}

func quote(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}

// Connect logs the superuser in through the unix socket, until the test ends.
func (s *Server) Connect(t testing.TB, database string) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
	defer cancel()
	conn, err := s.connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func (s *Server) connect(ctx context.Context, database string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(fmt.Sprintf("host=%s port=%d user=%s dbname=%s sslmode=disable",
		quote(s.SocketDir), s.Port, s.Superuser, quote(database)))
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to %s as superuser: %w", database, err)
	}
	return conn, nil
}

// Exec runs statements, several with ';' between them, as the superuser.
func (s *Server) Exec(t testing.TB, database, sql string) {
	t.Helper()
	if err := s.Execute(database, sql); err != nil {
		t.Fatal(err)
	}
}

// Execute is Exec for callers without a test.
func (s *Server) Execute(database, sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
	defer cancel()
	conn, err := s.connect(ctx, database)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
		return fmt.Errorf("in %s: %w\n%s", database, err, sql)
	}
	return nil
}

// QueryString runs a query as the superuser: its rows by line, fields by '|',
// as psql -At prints them.
func (s *Server) QueryString(t testing.TB, database, sql string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
	defer cancel()
	conn, err := s.connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		t.Fatalf("in %s: %v\n%s", database, err, sql)
	}
	var lines []string
	for _, result := range results {
		for _, row := range result.Rows {
			fields := make([]string, len(row))
			for i, field := range row {
				fields[i] = string(field)
			}
			lines = append(lines, strings.Join(fields, "|"))
		}
	}
	return strings.Join(lines, "\n")
}
