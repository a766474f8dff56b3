package harness

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Database is the target's database with customers and orders.
const Database = "orders"

//go:embed testdata/orders.sql
var ordersSQL string

// Postgres is the target as its own administrator sees it, past every proxy.
type Postgres struct {
	// Host, Name and Port are how pods reach it, CA who vouches for it.
	Host, Name         string
	Port               int32
	User, Password, CA string

	url string
	// idle keeps connections for the next query.
	idle chan *pgx.Conn
}

func openPostgres(ctx context.Context, env map[string]string) (*Postgres, error) {
	port, err := strconv.ParseInt(env["PG_PORT"], 10, 32)
	if err != nil {
		return nil, fmt.Errorf("PG_PORT: %w", err)
	}
	ca, err := os.ReadFile(env["PG_CA_FILE"])
	if err != nil {
		return nil, fmt.Errorf("PG_CA_FILE: %w", err)
	}
	p := &Postgres{
		Host: env["PG_HOST"], Name: env["PG_NAME"], Port: int32(port),
		User: env["PG_USER"], Password: env["PG_PASSWORD"], CA: string(ca),
	}
	address := net.JoinHostPort(env["PG_FORWARD_HOST"], env["PG_FORWARD_PORT"])
	url := func(database string) string {
		return fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=verify-full&sslrootcert=%s&application_name=e2e",
			p.User, p.Password, address, database, env["PG_CA_FILE"])
	}
	if err := makeOrders(ctx, url); err != nil {
		return nil, fmt.Errorf("make the database %s: %w", Database, err)
	}
	p.url, p.idle = url(Database), make(chan *pgx.Conn, 8)
	return p, nil
}

// with lends a connection.
func (p *Postgres) with(ctx context.Context, use func(*pgx.Conn) error) error {
	var conn *pgx.Conn
	select {
	case conn = <-p.idle:
	default:
		var err error
		if conn, err = pgx.Connect(ctx, p.url); err != nil {
			return err
		}
	}
	if err := use(conn); err != nil {
		_ = conn.Close(ctx)
		return err
	}
	select {
	case p.idle <- conn:
		return nil
	default:
		return conn.Close(ctx)
	}
}

// makeOrders fills the database, unless it is there.
func makeOrders(ctx context.Context, url func(database string) string) error {
	home, err := pgx.Connect(ctx, url("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = home.Close(ctx) }()
	var there bool
	if err := home.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", Database).Scan(&there); err != nil {
		return err
	}
	if !there {
		if _, err := home.Exec(ctx, "CREATE DATABASE "+Database); err != nil {
			return err
		}
	}
	orders, err := pgx.Connect(ctx, url(Database))
	if err != nil {
		return err
	}
	defer func() { _ = orders.Close(ctx) }()
	_, err = orders.Exec(ctx, ordersSQL)
	return err
}

// Exec runs statements on the target's own terms.
func (p *Postgres) Exec(t testing.TB, statements string, arguments ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), Patience)
	defer cancel()
	err := p.with(ctx, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, statements, arguments...)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
}

// Query returns a query's one column as text.
func (p *Postgres) Query(t testing.TB, query string, arguments ...any) []string {
	t.Helper()
	found, err := p.query(t, query, arguments...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return found
}

func (p *Postgres) query(t testing.TB, query string, arguments ...any) (found []string, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), Patience)
	defer cancel()
	err = p.with(ctx, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, query, arguments...)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return found, err
}

// Login logs in on the target itself, past every proxy, as somebody else.
func (p *Postgres) Login(t testing.TB, user, password string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	config, err := pgx.ParseConfig(p.url)
	if err != nil {
		t.Fatal(err)
	}
	config.User, config.Password = user, password
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// HasRole says whether the target knows a role.
func (p *Postgres) HasRole(t testing.TB, role string) bool {
	t.Helper()
	return len(p.Query(t, "SELECT rolname::text FROM pg_roles WHERE rolname = $1", role)) > 0
}

// Sessions counts a role's sessions on the target.
func (p *Postgres) Sessions(t testing.TB, role string) int {
	t.Helper()
	return len(p.Query(t, "SELECT pid::text FROM pg_stat_activity WHERE usename = $1", role))
}

// AwaitNoSession waits until the target shows no session of a role, and returns when
// that was seen.
func (p *Postgres) AwaitNoSession(t testing.TB, role string, patience time.Duration) time.Time {
	t.Helper()
	Eventually(t, patience, "the end of the sessions of "+role, func() (bool, string) {
		n := p.Sessions(t, role)
		return n == 0, fmt.Sprint(n, " sessions")
	})
	return time.Now()
}
