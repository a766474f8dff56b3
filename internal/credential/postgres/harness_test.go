package postgres_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/credential/postgres"
	"github.com/sallyport/sallyport/internal/pgtest"
)

// shared is for tests that neither stop nor reconfigure their server.
var shared *pgtest.Server

func TestMain(m *testing.M) {
	server, err := pgtest.Run(pgtest.Options{Conf: []string{"log_statement = all"}})
	if errors.Is(err, pgtest.ErrMissing) && os.Getenv(pgtest.AllowMissing) == "1" {
		fmt.Println("skipped:", err)
		os.Exit(0)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	shared = server
	status := m.Run()
	server.Close()
	os.Exit(status)
}

// orders is a small shop in a database of its own.
const orders = `
	CREATE TABLE customers (id int PRIMARY KEY, email text);
	CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers, note text);
	CREATE TABLE salaries (person text, amount int);
	CREATE SEQUENCE order_ids;
	CREATE FUNCTION total(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
	CREATE FUNCTION total(text) RETURNS int LANGUAGE sql AS 'SELECT 1';
	REVOKE EXECUTE ON FUNCTION total(int), total(text) FROM PUBLIC;
	CREATE SCHEMA billing;
	CREATE TABLE billing.invoices (id int);
	INSERT INTO customers VALUES (1, 'ann@example.com');
	INSERT INTO orders VALUES (1, 1, 'first');`

// newDatabase makes a database, with the shop in it unless sql says otherwise.
func newDatabase(t *testing.T, server *pgtest.Server, sql string) string {
	t.Helper()
	name := "db_" + strings.ToLower(rand.Text()[:12])
	server.Exec(t, "postgres", "CREATE DATABASE "+name)
	server.Exec(t, name, sql)
	return name
}

func newUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func newIssuer(t *testing.T, adjust func(*postgres.Options)) *postgres.Issuer {
	t.Helper()
	options := postgres.Options{
		Installation: "0a1b2c3d", MasterKey: []byte(strings.Repeat("k", 32)),
		Now: time.Now, Dial: (&net.Dialer{}).DialContext,
	}
	if adjust != nil {
		adjust(&options)
	}
	issuer, err := postgres.New(options)
	if err != nil {
		t.Fatal(err)
	}
	return issuer
}

func targetOf(server *pgtest.Server, databases ...string) credential.Target {
	spec := &v1alpha1.PostgresTarget{
		Host: "localhost", Port: int32(server.Port), Databases: databases,
		TLS:        v1alpha1.PostgresTLS{Mode: v1alpha1.PostgresTLSVerifyFull, CABundle: string(server.CAPEM)},
		Credential: v1alpha1.CredentialEphemeralRole,
	}
	if server.CAPEM == nil {
		spec.TLS = v1alpha1.PostgresTLS{Mode: v1alpha1.PostgresTLSDisable}
	}
	return credential.Target{
		Name: "orders", Namespace: "payments", Spec: v1alpha1.AccessTargetSpec{Postgres: spec},
		Addresses: []string{server.Host}, Admin: credential.Admin{Username: server.Superuser, Password: server.Password},
	}
}

func read(database string, relations ...string) v1alpha1.Grant {
	grant := &v1alpha1.PostgresGrant{Database: database}
	for _, relation := range relations {
		grant.Relations = append(grant.Relations, v1alpha1.RelationGrant{
			Schema: "public", Name: relation, Privileges: []v1alpha1.RelationPrivilege{v1alpha1.PrivilegeSelect},
		})
	}
	return v1alpha1.Grant{Postgres: grant}
}

func requestFor(grant v1alpha1.Grant) credential.Request {
	return credential.Request{UID: newUID(), Generation: 1, Grant: grant, ValidUntil: time.Now().Add(time.Hour), MaxConnections: 4}
}

// issue issues, and revokes when the test is over, for the sake of the others.
func issue(t *testing.T, issuer *postgres.Issuer, target credential.Target, request credential.Request) string {
	t.Helper()
	issued, err := issuer.Issue(t.Context(), target, request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = issuer.Revoke(context.Background(), target, request) })
	return issued.Name
}

// login is the task's proxy, going to the target as the task's role.
func login(t *testing.T, server *pgtest.Server, issuer *postgres.Issuer, target credential.Target, request credential.Request) (*pgx.Conn, error) {
	t.Helper()
	login, err := issuer.Login(target, request)
	if err != nil {
		t.Fatal(err)
	}
	return connect(t, server, request.Grant.Postgres.Database, login.User, login.Password.Reveal())
}

func connect(t *testing.T, server *pgtest.Server, database, user, password string) (*pgx.Conn, error) {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, server.CAPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), server.DSN(database, user, password, ca))
	if err == nil {
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
	}
	return conn, err
}

func mustLogin(t *testing.T, server *pgtest.Server, issuer *postgres.Issuer, target credential.Target, request credential.Request) *pgx.Conn {
	t.Helper()
	conn, err := login(t, server, issuer, target, request)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func do(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
}

// refused wants the SQLSTATE from a statement.
func refused(t *testing.T, conn *pgx.Conn, sqlstate, sql string) {
	t.Helper()
	_, err := conn.PgConn().Exec(t.Context(), sql).ReadAll()
	wantState(t, err, sqlstate, sql)
}

func wantState(t *testing.T, err error, sqlstate, what string) {
	t.Helper()
	var refusal *pgconn.PgError
	if !errors.As(err, &refusal) || refusal.Code != sqlstate {
		t.Errorf("%s: got %v, want SQLSTATE %s", what, err, sqlstate)
	}
}

func revoked(t *testing.T, issuer *postgres.Issuer, target credential.Target, request credential.Request) credential.Evidence {
	t.Helper()
	if err := issuer.Revoke(t.Context(), target, request); err != nil {
		t.Fatal(err)
	}
	evidence, err := issuer.Verify(t.Context(), target, request)
	if err != nil {
		t.Fatal(err)
	}
	if !evidence.Absent {
		t.Fatalf("not absent: %s", evidence.Message)
	}
	return evidence
}
