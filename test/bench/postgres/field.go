package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/sallyport/sallyport/internal/pgtest"
	"github.com/sallyport/sallyport/test/bench/measure"
)

const (
	database = "bench"
	login    = "bench"
	// token is the login's password, and what clients give our proxy in its place.
	token = "the token of the bench"
)

// leg is how clients reach a contender.
type leg string

const (
	plain leg = "plain"
	tlsOn leg = "TLS"
)

// contender is one way to the same server.
type contender struct {
	name string
	leg  leg
	port int
	// process is nil for the server itself.
	process *measure.Process
	// transactions and rows are what is measured of it.
	transactions, rows bool
}

// field is the server and everything that stands before it.
type field struct {
	options    options
	server     *pgtest.Server
	folder     string
	contenders []*contender
	processes  []*measure.Process
	// s3 is the server that recordings go to; closers end what is no process of ours.
	s3      *s3
	closers []func()
}

// newField starts all.
func newField(ctx context.Context, o options) (*field, error) {
	folder, err := os.MkdirTemp("", "sallyport-bench-")
	if err != nil {
		return nil, err
	}
	f := &field{options: o, folder: folder}
	if err := f.start(ctx); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *field) start(ctx context.Context) (err error) {
	// Others' accounts read certificates in it.
	if err := os.Chmod(f.folder, 0o755); err != nil {
		return err
	}
	if f.server, err = pgtest.Run(pgtest.Options{
		Conf: []string{"max_connections = " + strconv.Itoa(f.options.idle+100), "shared_buffers = 512MB",
			"fsync = off", "autovacuum = off", "jit = off"},
	}); err != nil {
		return err
	}
	if err := f.fill(ctx); err != nil {
		return err
	}
	if f.options.recording {
		return f.ways(ctx)
	}
	for _, l := range []leg{plain, tlsOn} {
		f.add(&contender{name: "direct", leg: l, port: f.server.Port, transactions: true, rows: true})
	}
	if err := f.relays(ctx); err != nil {
		return err
	}
	if err := f.pgbouncer(ctx); err != nil {
		return err
	}
	return f.proxies(ctx)
}

func (f *field) add(c *contender) { f.contenders = append(f.contenders, c) }

// fill makes the tables: pgbench's, and one of rows as people select them.
func (f *field) fill(ctx context.Context) error {
	if err := f.server.Execute("postgres", "CREATE ROLE "+login+" LOGIN PASSWORD '"+token+"'"); err != nil {
		return err
	}
	if err := f.server.Execute("postgres", "CREATE DATABASE "+database+" OWNER "+login); err != nil {
		return err
	}
	initialise := exec.CommandContext(ctx, "pgbench", "-i", "-q", "-s", strconv.Itoa(f.options.scale),
		"-h", f.server.Host, "-p", strconv.Itoa(f.server.Port), "-U", login, database)
	initialise.Env = append(os.Environ(), "PGPASSWORD="+token)
	if out, err := initialise.CombinedOutput(); err != nil {
		return fmt.Errorf("pgbench -i: %w: %s", err, out)
	}
	if err := f.server.Execute(database, fmt.Sprintf(`
		CREATE TABLE people (id int, name text, email text, city text, amount numeric, note text);
		INSERT INTO people SELECT i, 'Person number ' || i, 'person' || i || '@example.com', 'Springfield',
			i * 1.25, 'ordered on the ' || (i %% 28 + 1) || 'th, delivered to the front door as always, paid in full'
			FROM generate_series(1, %d) i;
		ALTER TABLE people OWNER TO %s`, f.options.rows, login)); err != nil {
		return err
	}
	return f.server.Execute(database, "VACUUM ANALYZE people")
}

func (f *field) relays(ctx context.Context) error {
	certificate, key, err := f.certificate()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, l := range []leg{plain, tlsOn} {
		port, err := measure.FreePort()
		if err != nil {
			return err
		}
		args := []string{relayCommand, "--listen", measure.Local(port), "--to", measure.Local(f.server.Port)}
		if l == tlsOn {
			args = append(args, "--cert", certificate, "--key", key)
		}
		if err := f.run(ctx, &contender{name: "relay", leg: l, port: port, transactions: true, rows: true}, nil, self, args...); err != nil {
			return err
		}
	}
	return nil
}

// run starts a contender's process.
func (f *field) run(ctx context.Context, c *contender, as *syscall.Credential, name string, args ...string) error {
	p, err := measure.Start(ctx, measure.Local(c.port), as, name, args...)
	if err != nil {
		return err
	}
	c.process = p
	f.processes = append(f.processes, p)
	f.add(c)
	return nil
}

// pgbouncer refuses to run as root: it gets the account nobody.
func (f *field) pgbouncer(ctx context.Context) error {
	certificate, key, err := f.certificate()
	if err != nil {
		return err
	}
	port, err := measure.FreePort()
	if err != nil {
		return err
	}
	users := filepath.Join(f.folder, "users.txt")
	if err := os.WriteFile(users, fmt.Appendf(nil, "%q %q\n", login, token), 0o644); err != nil {
		return err
	}
	config := filepath.Join(f.folder, "pgbouncer.ini")
	if err := os.WriteFile(config, fmt.Appendf(nil, `[databases]
%s = host=127.0.0.1 port=%d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = trust
auth_file = %s
pool_mode = session
max_client_conn = 2000
default_pool_size = 1000
client_tls_sslmode = allow
client_tls_cert_file = %s
client_tls_key_file = %s
`, database, f.server.Port, port, users, certificate, key), 0o644); err != nil {
		return err
	}
	as, err := nobody()
	if err != nil {
		return err
	}
	if err := f.run(ctx, &contender{name: "pgbouncer", leg: plain, port: port, transactions: true, rows: true}, as, "pgbouncer", "-q", config); err != nil {
		return err
	}
	last := f.contenders[len(f.contenders)-1]
	f.add(&contender{name: "pgbouncer", leg: tlsOn, port: port, process: last.process, transactions: true, rows: true})
	return nil
}

func nobody() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

// Close stops everything.
func (f *field) Close() error {
	for _, p := range f.processes {
		p.Stop()
	}
	for _, end := range f.closers {
		end()
	}
	if f.server != nil {
		f.server.Close()
	}
	return os.RemoveAll(f.folder)
}
