package postgres

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/pgtest"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/postgres/judge"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
	"github.com/sallyport/sallyport/proxy/server"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

// patience bounds what must happen by itself.
const patience = 20 * time.Second

// target is the server that most tests of this package share. Its log has every
// statement that reached it.
var target *pgtest.Server

// shared says why there is no target, if there is none.
var shared error

const taskPassword = "the own password of the task"

// logins of the target, named for how it asks them to prove themselves.
const logins = `
	SET password_encryption = 'md5';
	CREATE ROLE by_md5 LOGIN PASSWORD '` + taskPassword + `';
	SET password_encryption = 'scram-sha-256';
	CREATE ROLE by_scram LOGIN PASSWORD '` + taskPassword + `';
	CREATE ROLE by_password LOGIN PASSWORD '` + taskPassword + `';
	CREATE ROLE by_trust LOGIN;
	CREATE ROLE by_certificate LOGIN;`

const tables = `
	CREATE TABLE orders (id int PRIMARY KEY, customer text NOT NULL, amount numeric NOT NULL DEFAULT 0);
	CREATE TABLE salaries (person text, amount numeric);
	INSERT INTO orders SELECT i, 'customer ' || i, i * 1.5 FROM generate_series(1, 1000) i;
	GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO by_scram, by_md5, by_password, by_certificate;
	GRANT SELECT ON salaries TO by_scram;
	CREATE TABLE payments (id int PRIMARY KEY, card text, amount numeric);
	CREATE TABLE ledger (payment int, note text);
	CREATE FUNCTION book() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		INSERT INTO public.ledger VALUES (NEW.id, 'booked'); RETURN NEW; END $$;
	CREATE TRIGGER book AFTER UPDATE ON payments FOR EACH ROW WHEN (NEW.amount > 1000) EXECUTE FUNCTION book();
	INSERT INTO payments SELECT i, '4111 1111 1111 1111', 10 FROM generate_series(1, 400) i;
	GRANT SELECT, INSERT, UPDATE, DELETE ON payments, ledger TO by_scram;`

var methods = []string{
	"host all by_md5 all md5", "host all by_password all password", "host all by_trust all trust",
	"hostssl all by_certificate all cert",
}

func TestMain(m *testing.M) {
	os.Exit(runMain(m))
}

func runMain(m *testing.M) int {
	target, shared = pgtest.Run(pgtest.Options{HBA: methods, Conf: []string{
		"log_statement = all", "log_parameter_max_length = 100", "max_connections = 200",
	}})
	if shared == nil {
		defer target.Close()
		shared = errors.Join(target.Execute("postgres", "CREATE DATABASE orders"), target.Execute("postgres", logins), target.Execute("orders", tables))
	}
	return m.Run()
}

// needTarget fails a test that has no server.
func needTarget(t testing.TB) {
	t.Helper()
	if errors.Is(shared, pgtest.ErrMissing) && os.Getenv(pgtest.AllowMissing) == "1" {
		t.Skip(shared)
	}
	if shared != nil {
		t.Fatal(shared)
	}
}

// upstream is the grant's way to the target as that login.
func upstream(user string) grant.PostgresUpstream {
	return grant.PostgresUpstream{
		Host: "localhost", Addresses: []string{target.Host}, Port: int32(target.Port),
		TLSMode: v1alpha1.PostgresTLSVerifyFull, CABundle: string(target.CAPEM),
		Database: "orders", User: user, Password: taskPassword,
	}
}

// policy grants the rows of orders, and no more.
func ordersPolicy() v1alpha1.AccessPolicySpec {
	spec := sessiontest.ReadOrders()
	spec.Session.MaxConcurrent = 64
	spec.Grant.Postgres.Relations[0].Privileges = []v1alpha1.RelationPrivilege{
		v1alpha1.PrivilegeSelect, v1alpha1.PrivilegeInsert, v1alpha1.PrivilegeUpdate, v1alpha1.PrivilegeDelete,
	}
	return spec
}

// unrestrictedPolicy judges nothing: the proxy need know nothing of the target.
func unrestrictedPolicy(spec *v1alpha1.AccessPolicySpec) {
	spec.Grant.Postgres = &v1alpha1.PostgresGrant{Database: spec.Grant.Postgres.Database, Unrestricted: true}
}

// proxy is the engine, served on loopback for one task.
type proxy struct {
	*sessiontest.Task
	engine  *Engine
	port    int
	folder  string
	granted grant.State
}

type change struct {
	options func(*Options)
	session func(*session.Options)
	policy  func(*v1alpha1.AccessPolicySpec)
	up      func(*grant.PostgresUpstream)
	waiting bool
}

// newProxy serves a granted task, unless changed, until the test ends.
func newProxy(t testing.TB, changes ...change) *proxy {
	t.Helper()
	needTarget(t)
	options := Options{Judge: judge.New(1 << 20), Log: logr.Discard()}
	spec, up, waiting := ordersPolicy(), upstream("by_scram"), false
	sessionChange := func(o *session.Options) { o.Dial = Dialer{}.Dial }
	var also []func(*session.Options)
	for _, c := range changes {
		if c.options != nil {
			c.options(&options)
		}
		if c.policy != nil {
			c.policy(&spec)
		}
		if c.up != nil {
			c.up(&up)
		}
		if c.session != nil {
			also = append(also, c.session)
		}
		waiting = waiting || c.waiting
	}
	task := sessiontest.New(t, sessiontest.Waiting, append([]func(*session.Options){sessionChange}, also...)...)
	p := &proxy{Task: task, engine: New(options), folder: t.TempDir(), granted: sessiontest.Granted(spec, &up)(task.Key)}
	if !waiting {
		p.grant()
	}
	p.serve(t)
	p.writeKeys(t)
	return p
}

func (p *proxy) grant() { p.Update(p.granted) }

func (p *proxy) serve(t testing.TB) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.port = listener.Addr().(*net.TCPAddr).Port
	ctx, cancel := context.WithCancel(context.Background())
	var served sync.WaitGroup
	served.Go(func() {
		s := &server.Server{Engine: p.engine, Task: p.Task.Task, Log: logr.Discard()}
		if err := s.Serve(ctx, listener); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		served.Wait()
	})
}

func (p *proxy) address() string { return fmt.Sprintf("127.0.0.1:%d", p.port) }

// writeKeys gives psql its certificate, and the proxy's CA.
func (p *proxy) writeKeys(t testing.TB) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(p.Key.Certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"client.crt": {Type: "CERTIFICATE", Bytes: p.Key.Certificate.Certificate[0]},
		"client.key": {Type: "PRIVATE KEY", Bytes: key},
		"ca.crt":     {Type: "CERTIFICATE", Bytes: p.Server.Certificate[0]},
	} {
		if err := os.WriteFile(filepath.Join(p.folder, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// dsn verifies the proxy, and proves the requester's key.
func (p *proxy) dsn(more ...string) string {
	return strings.Join(append([]string{
		"host=127.0.0.1", fmt.Sprintf("port=%d", p.port), "dbname=orders", "user=anyone", "sslmode=verify-full",
		"sslrootcert=" + filepath.Join(p.folder, "ca.crt"), "sslcert=" + filepath.Join(p.folder, "client.crt"),
		"sslkey=" + filepath.Join(p.folder, "client.key"),
	}, more...), " ")
}

// psql runs psql and returns both outputs and its exit code.
func (p *proxy) psql(t testing.TB, dsn string, arguments ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, "psql", append([]string{"-X", "-A", "-t", "-d", dsn}, arguments...)...)
	var out, problems bytes.Buffer
	command.Stdout, command.Stderr = &out, &problems
	command.Env = append(os.Environ(), "PGAPPNAME=psql", "LC_ALL=C.UTF-8")
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), problems.String(), command.ProcessState.ExitCode()
}

// connect is pgx on the proxy.
func (p *proxy) connect(t testing.TB, change ...func(*pgx.ConnConfig)) *pgx.Conn {
	t.Helper()
	conn, err := p.tryConnect(t, p.dsn(), change...)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func (p *proxy) tryConnect(t testing.TB, dsn string, change ...func(*pgx.ConnConfig)) (*pgx.Conn, error) {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	for _, apply := range change {
		apply(config)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err == nil {
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
	}
	return conn, err
}

// operations is the texts that were recorded, with their verdicts: "Allow: select 1".
func (p *proxy) operations(t testing.TB) []string {
	t.Helper()
	var list []string
	texts := map[int64]string{}
	for _, event := range p.events(t) {
		if event.Operation != nil {
			texts[event.Operation.ID] = string(event.Operation.Text)
		}
		if event.Verdict != nil {
			list = append(list, event.Verdict.Effect+": "+texts[event.Verdict.Operation])
		}
	}
	return list
}

func (p *proxy) events(t testing.TB) []record.Event {
	t.Helper()
	events, err := p.Recordings.Events("")
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// results by operation number.
func (p *proxy) results(t testing.TB) map[int64]record.Result {
	t.Helper()
	results := map[int64]record.Result{}
	for _, event := range p.events(t) {
		if event.Type == record.EventResult {
			results[event.Result.Operation] = *event.Result
		}
	}
	return results
}

// raw is a TLS connection to the proxy that has not spoken yet.
func (p *proxy) raw(t testing.TB, alpns ...string) *tls.Conn {
	t.Helper()
	conn := p.plain(t)
	roots := x509.NewCertPool()
	roots.AddCert(p.Server.Leaf)
	secured := tls.Client(conn, &tls.Config{
		RootCAs: roots, ServerName: sessiontest.ServerName, NextProtos: alpns, Certificates: []tls.Certificate{p.Key.Certificate},
	})
	return secured
}

// plain is a TCP connection to the proxy.
func (p *proxy) plain(t testing.TB) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// classified is a Judge that knows the text alone.
type classified func(text string) []policy.Action

// Read returns the actions, and nothing beside them.
func (c classified) Read(text string, _ sql.Session) []sql.Statement {
	actions := c(text)
	statements := make([]sql.Statement, len(actions))
	for i, action := range actions {
		statements[i].Action = action
	}
	return statements
}

// blind judges nothing: each text is one statement that touches nothing.
func blind(string) []policy.Action {
	return []policy.Action{{Protocol: "postgres", Kind: "select", Statements: 1}}
}

// sqlState of an error, "" if it has none.
func sqlState(err error) string {
	if told, ok := errors.AsType[*pgconn.PgError](err); ok {
		return told.Code
	}
	return ""
}

// reached says whether the target has logged the text, other than to explain it.
func reached(text string) bool {
	log := strings.ReplaceAll(target.Log(), "EXPLAIN (FORMAT JSON) "+text, "")
	return strings.Contains(log, text)
}
