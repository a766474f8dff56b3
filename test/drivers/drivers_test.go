package drivers

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/pgtest"
)

var runAll = flag.Bool("all", false, "run every suite, in every mode, on every version of PostgreSQL")

// trial is one suite on one version in one mode.
type trial struct {
	suite
	postgres       int
	mode           string
	database, user string
	// prepare starts the server, with its roles and databases, and says how the
	// proxy is to stand in front of it.
	prepare func(t testing.TB, folder string) (*pgtest.Server, front)
	// environment leads the suite to a place.
	environment func(t testing.TB, folder string, p place) []string
}

func (r trial) labels() []string { return []string{fmt.Sprint(r.postgres), r.mode} }

func (r trial) title() string {
	return fmt.Sprintf("%s %s %s on PostgreSQL %d", r.name, r.version, r.mode, r.postgres)
}

// run compares the suite's outcomes, directly and through the proxy, on one server.
func (r trial) run(t *testing.T) {
	t.Helper()
	programs := r.compile(t)
	target, f := r.prepare(t, programs.folder)
	begin := time.Now()
	straight := programs.run(t, r.environment(t, programs.folder, direct(t, target, r.database, r.user)))
	half := time.Now()
	through := programs.run(t, r.environment(t, programs.folder, proxied(t, target, r.database, r.user, f)))
	t.Logf("%s: directly %s in %.0fs, through the proxy %s in %.0fs", r.title(),
		straight.count(), half.Sub(begin).Seconds(), through.count(), time.Since(half).Seconds())
	for test, outcome := range straight.outcomes {
		if outcome == "fail" {
			t.Logf("%s fails directly, too:\n%s", test, straight.words[test])
		}
	}
	judge(t, r, compare(straight.outcomes, through.outcomes), through.words)
}

// pgx is jackc/pgx at the version that our own tests use, with its server set up as
// its testsetup folder says. As in its own CI, TLS is for the tests of TLS.
func pgx(version int) trial {
	return trial{
		suite: suite{name: "pgx", module: "github.com/jackc/pgx/v5", version: "v5.12.0", packages: []string{
			"", "pgconn", "pgtype", "pgtype/zeronull", "pgxpool", "stdlib", "tracelog", "multitracer"},
			// They wait for what pg_terminate_backend does to the process that BackendKeyData
			// names, which here is none: see docs/drivers.md.
			choose: []string{"-test.skip", "^(TestConnCheckConn|TestConnCopyFromConnectionTerminated)$"}},
		postgres: version, mode: "text", database: "pgx_test", user: "pgx_owner",
		prepare: func(t testing.TB, folder string) (*pgtest.Server, front) {
			target := pgtest.Start(t, pgtest.Options{Version: version, HBA: []string{"host all pgx_md5 all md5", "host all pgx_pw all password"}})
			target.Exec(t, "postgres", "CREATE ROLE pgx_owner SUPERUSER LOGIN PASSWORD '"+password+"'")
			target.Exec(t, "postgres", "CREATE DATABASE pgx_test OWNER pgx_owner")
			psql(t, target, "pgx_test", filepath.Join(folder, "testsetup", "postgresql_setup.sql"))
			return target, front{}
		},
		environment: func(t testing.TB, _ string, p place) []string {
			open := p
			if p.key != "" {
				open = tunnel(t, p)
			}
			as := func(user string) string {
				q := open
				q.user = user
				return q.plain()
			}
			secured := p
			secured.user = "pgx_ssl"
			return []string{
				"PGX_TEST_DATABASE=" + open.plain(),
				"PGX_TEST_TCP_CONN_STRING=" + open.plain(),
				"PGX_TEST_PLAIN_PASSWORD_CONN_STRING=" + as("pgx_pw"),
				"PGX_TEST_MD5_PASSWORD_CONN_STRING=" + as("pgx_md5"),
				"PGX_TEST_SCRAM_PASSWORD_CONN_STRING=" + as("pgx_scram"),
				"PGX_TEST_SCRAM_PLUS_CONN_STRING=" + secured.words("channel_binding=require"),
				"PGX_TEST_TLS_CONN_STRING=" + secured.words(),
			}
		},
	}
}

// pq is lib/pq with parameters as text, or binary where it can; and apart (mode tls)
// its tests of TLS. The server is set up as lib/pq's testdata folder says.
func pq(version int, mode string) trial {
	choose := []string{"-test.skip", "^(TestSSL|ExampleRegisterTLSConfig)"}
	if mode == "tls" {
		choose = []string{"-test.run", "^(TestSSL|ExampleRegisterTLSConfig)"}
	}
	return trial{
		suite:    suite{name: "pq", module: "github.com/lib/pq", version: "v1.12.3", packages: []string{"", "hstore", "internal/pqsql", "internal/pqtest"}, choose: choose},
		postgres: version, mode: mode, database: "pqgo", user: "pqgo_proxy",
		prepare: func(t testing.TB, folder string) (*pgtest.Server, front) {
			ssl := filepath.Join(folder, "testdata", "ssl")
			f := front{
				targetName:  "postgres",
				certificate: filepath.Join(ssl, "server.crt"), key: filepath.Join(ssl, "server.key"), ca: filepath.Join(ssl, "root.crt"),
				clientKeys: []string{filepath.Join(ssl, "postgresql.crt"), filepath.Join(ssl, "client_intermediate.crt")},
			}
			return pqServer(t, version, folder, f), f
		},
		environment: func(t testing.TB, folder string, p place) []string {
			// Not in PGPASSWORD: tests of what is read from the environment would see it.
			passwords := filepath.Join(folder, "passwords")
			var lines string
			for _, user := range []string{"pqgo", "pqgossl", "postgres"} {
				lines += fmt.Sprintf("*:*:*:%s:%s\n", user, password)
			}
			if err := os.WriteFile(passwords, []byte(lines), 0o600); err != nil {
				t.Fatal(err)
			}
			own(t, nobody, passwords)
			if p.key != "" && mode != "tls" {
				p = tunnel(t, p)
			}
			environment := []string{fmt.Sprintf("PGPORT=%d", p.port), "PGPASSFILE=" + passwords}
			if mode == "binary" {
				environment = append(environment, "PQTEST_BINARY_PARAMETERS=yes")
			}
			return environment
		},
	}
}

// pqServer has the suite's certificates, and a login of the proxy's own that must
// give a password, which the proxy insists on.
func pqServer(t testing.TB, version int, folder string, f front) *pgtest.Server {
	t.Helper()
	certificates := readable(t)
	for from, to := range map[string]string{f.certificate: "server.crt", f.key: "server.key", f.ca: "root.crt"} {
		content, err := os.ReadFile(from)
		if err = errors.Join(err, os.WriteFile(filepath.Join(certificates, to), content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	own(t, "postgres", certificates)
	target := pgtest.Start(t, pgtest.Options{Version: version,
		Conf: []string{
			"ssl_ca_file = '" + certificates + "/root.crt'", "ssl_cert_file = '" + certificates + "/server.crt'", "ssl_key_file = '" + certificates + "/server.key'",
		},
		HBA: []string{
			"host all pqgo_proxy all scram-sha-256",
			"host all pqgomd5 all md5", "host all pqgopassword all password", "host all pqgoscram all scram-sha-256",
			"hostnossl all pqgossl all reject", "hostnossl all pqgosslcert all reject",
			"hostssl all pqgossl all trust", "hostssl all pqgosslcert all cert", "host all all all trust",
		}})
	ca, err := os.ReadFile(f.ca)
	if err != nil {
		t.Fatal(err)
	}
	target.CAPEM = ca
	target.Exec(t, "postgres", "CREATE ROLE pqgo SUPERUSER LOGIN; CREATE ROLE pqgo_proxy SUPERUSER LOGIN PASSWORD '"+password+"'")
	target.Exec(t, "postgres", "CREATE DATABASE pqgo OWNER pqgo")
	setup, err := os.ReadFile(filepath.Join(folder, "testdata", "postgres", "docker-entrypoint-initdb.d", "20-config.sql"))
	if err != nil {
		t.Fatal(err)
	}
	_, roles, _ := strings.Cut(string(setup), "\n\n") // The settings before them are in Conf.
	target.Exec(t, "pqgo", roles)
	return target
}

// psql runs a file as the superuser.
func psql(t testing.TB, target *pgtest.Server, database, file string) {
	t.Helper()
	out, err := run(t, time.Minute, nil, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", target.SocketDir,
		"-p", fmt.Sprint(target.Port), "-U", target.Superuser, "-d", database, "-f", file)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// all lists every trial.
func all() []trial {
	var list []trial
	for _, version := range pgtest.Versions() {
		list = append(list, pgx(version), pq(version, "text"), pq(version, "binary"), pq(version, "tls"))
	}
	return list
}

func TestADriversOwnTestsPassThroughTheProxyAsTheyDoDirectly(t *testing.T) {
	trials := all()
	if !*runAll {
		short := pgx(15)
		short.packages = []string{"stdlib", "tracelog"}
		trials = []trial{short, pq(15, "text"), pq(15, "tls")}
	}
	for _, r := range trials {
		t.Run(r.title(), func(t *testing.T) { r.run(t) })
	}
}
