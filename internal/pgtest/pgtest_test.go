package pgtest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/internal/pgtest"
)

func login(t *testing.T, s *pgtest.Server, user, password string, adjust func(*pgx.ConnConfig)) error {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, s.CAPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := pgx.ParseConfig(s.DSN("postgres", user, password, ca))
	if err != nil {
		t.Fatal(err)
	}
	if adjust != nil {
		adjust(config)
	}
	conn, err := pgx.ConnectConfig(context.Background(), config)
	if err != nil {
		return err
	}
	return conn.Close(context.Background())
}

func TestAServerAsksForThePasswordOverVerifiedTLS(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgtest.Options{})
	if err := login(t, s, s.Superuser, s.Password, nil); err != nil {
		t.Fatal(err)
	}
	if err := login(t, s, s.Superuser, "wrong", nil); err == nil || !strings.Contains(err.Error(), "28P01") {
		t.Fatalf("a wrong password: %v", err)
	}
}

func TestAServerKeepsItsDataAndPortOverARestart(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgtest.Options{NoTLS: true})
	port := s.Port
	s.Exec(t, "postgres", "CREATE TABLE kept (a int, b text); INSERT INTO kept VALUES (1, 'x'), (2, NULL)")
	s.Stop()
	if err := login(t, s, s.Superuser, s.Password, nil); err == nil {
		t.Fatal("a stopped server took a connection")
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if got := s.QueryString(t, "postgres", "SELECT * FROM kept ORDER BY a"); got != "1|x\n2|" || s.Port != port {
		t.Fatalf("got %q on port %d, was %d", got, s.Port, port)
	}
}

func TestAServerTakesMD5AndClientCertificates(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgtest.Options{MD5: true, HBA: []string{"hostssl all certified all cert", "host all trusted all trust"}})
	s.Exec(t, "postgres", "CREATE ROLE certified LOGIN; CREATE ROLE old LOGIN PASSWORD 'pw'; CREATE ROLE trusted LOGIN")
	if got := s.QueryString(t, "postgres", "SELECT left(rolpassword, 3) FROM pg_authid WHERE rolname = 'old'"); got != "md5" {
		t.Fatalf("stored as %s", got)
	}
	if err := login(t, s, "old", "pw", nil); err != nil {
		t.Fatal(err)
	}
	if err := login(t, s, "trusted", "", nil); err != nil {
		t.Fatal(err)
	}
	if err := login(t, s, "certified", "", nil); err == nil {
		t.Fatal("logged in without the certificate")
	}
	certificate, key, err := s.ClientCertificate("certified")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.CAPEM)
	if err := login(t, s, "certified", "", func(c *pgx.ConnConfig) {
		c.TLSConfig = &tls.Config{RootCAs: roots, ServerName: "localhost", Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}); err != nil {
		t.Fatal(err)
	}
}

func TestAServerIsOfTheVersionThatWasAskedFor(t *testing.T) {
	t.Parallel()
	for _, version := range pgtest.Versions() {
		t.Run(strconv.Itoa(version), func(t *testing.T) {
			t.Parallel()
			s := pgtest.Start(t, pgtest.Options{Version: version})
			if got := s.QueryString(t, "postgres", "SELECT current_setting('server_version_num')::int / 10000"); got != strconv.Itoa(version) {
				t.Errorf("got version %s", got)
			}
			if err := login(t, s, s.Superuser, s.Password, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAMissingVersionSaysWhichScriptBringsIt(t *testing.T) {
	t.Setenv("PG18_BINDIR", t.TempDir())
	_, err := pgtest.Run(pgtest.Options{Version: 18})
	if !errors.Is(err, pgtest.ErrMissing) || !strings.Contains(err.Error(), "hack/postgres18/install.sh") {
		t.Error(err)
	}
}
