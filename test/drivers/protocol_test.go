package drivers

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/pgtest"
)

// patience bounds one run of a client.
const patience = time.Minute

// shop is a server of that version with some rows, whose owner the proxy logs in as.
func shop(t testing.TB, version int) *pgtest.Server {
	t.Helper()
	target := pgtest.Start(t, pgtest.Options{Version: version})
	target.Exec(t, "postgres", "CREATE ROLE shopkeeper LOGIN PASSWORD '"+password+"'")
	target.Exec(t, "postgres", "CREATE DATABASE shop OWNER shopkeeper")
	target.Exec(t, "shop", `SET ROLE shopkeeper;
		CREATE SCHEMA sales;
		CREATE TABLE sales.orders (id int PRIMARY KEY, customer text NOT NULL, placed timestamptz DEFAULT now(), note bytea);
		CREATE INDEX ON sales.orders (customer);
		INSERT INTO sales.orders SELECT i, 'customer ' || i, '2026-01-01', decode(md5(i::text), 'hex') FROM generate_series(1, 500) i;`)
	return target
}

func TestPG4_ClientsOnLibpq15And18ConnectInEveryMode(t *testing.T) {
	t.Parallel()
	target := shop(t, 18)
	p := proxied(t, target, "shop", "shopkeeper", front{})
	newest, err := pgtest.LibraryDir(18)
	if err != nil {
		t.Fatal(err)
	}
	for _, library := range []struct {
		name        string
		environment []string
	}{
		{"Debian's libpq", nil}, {"libpq 18", []string{"LD_LIBRARY_PATH=" + newest}},
	} {
		for _, c := range []struct {
			words  string
			fails  string
			newest bool
		}{
			{words: "sslmode=verify-full"}, {words: "sslmode=verify-ca"}, {words: "sslmode=require"}, {words: "sslmode=prefer"}, {words: "sslmode=allow"},
			{words: "sslmode=disable", fails: "over TLS only"},
			{words: "sslmode=verify-full sslrootcert=" + target.DataDir + "/server.crt", fails: "certificate verify failed"},
			{words: "sslmode=verify-full gssencmode=disable"},
			{words: "sslmode=verify-full sslnegotiation=direct", newest: true},
			{words: "sslmode=require sslnegotiation=direct", newest: true},
			{words: "sslmode=verify-full max_protocol_version=latest", newest: true},
			{words: "sslmode=verify-full sslnegotiation=direct min_protocol_version=3.2", newest: true},
			{words: "sslmode=verify-full max_protocol_version=3.0", newest: true},
			{words: "sslmode=verify-full channel_binding=require", fails: "channel binding required"},
		} {
			if c.newest && library.environment == nil {
				continue
			}
			out, err := run(t, patience, library.environment, "psql", "-X", "-At", "-d", p.words(c.words), "-c", "SELECT count(*) FROM sales.orders")
			switch {
			case c.fails == "" && (err != nil || out != "500\n"):
				t.Errorf("%s with %s: %v %s", c.words, library.name, err, out)
			case c.fails != "" && (err == nil || !strings.Contains(out, c.fails)):
				t.Errorf("%s with %s: want a refusal with %q, got %v %s", c.words, library.name, c.fails, err, out)
			}
		}
	}
}

func TestPG5_Libpq18CancelsOverTLSWithALongKey(t *testing.T) {
	t.Parallel()
	folder, err := pgtest.LibraryDir(18)
	if err != nil {
		t.Fatal(err)
	}
	client := filepath.Join(t.TempDir(), "cancel")
	if out, err := run(t, patience, nil, "gcc", "-o", client, "testdata/cancel.c", filepath.Join(folder, "libpq.so.5"), "-Wl,--allow-shlib-undefined"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, version := range pgtest.Versions() {
		t.Run(fmt.Sprintf("PostgreSQL %d", version), func(t *testing.T) {
			t.Parallel()
			p := proxied(t, shop(t, version), "shop", "shopkeeper", front{})
			for words, agreed := range map[string]string{
				"max_protocol_version=latest":                       "30002",
				"max_protocol_version=latest sslnegotiation=direct": "30002",
				"max_protocol_version=3.0":                          "30000",
			} {
				out, err := run(t, patience, []string{"LD_LIBRARY_PATH=" + folder}, client, p.words(words))
				if want := "version " + agreed + ", tls 1\ncancelled 57014\nthen usable\n"; err != nil || out != want {
					t.Errorf("%s: %v %s", words, err, out)
				}
			}
		})
	}
}

func TestPG6_PgbenchRunsInEveryModeAndPipelined(t *testing.T) {
	t.Parallel()
	pipeline := filepath.Join(t.TempDir(), "pipeline.sql")
	script := `\set aid random(1, 10000)
\startpipeline
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
\endpipeline
`
	if err := os.WriteFile(pipeline, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, version := range pgtest.Versions() {
		t.Run(fmt.Sprintf("PostgreSQL %d", version), func(t *testing.T) {
			t.Parallel()
			p := proxied(t, shop(t, version), "shop", "shopkeeper", front{})
			pgbench := func(arguments ...string) {
				t.Helper()
				out, err := run(t, patience, nil, "pgbench", append(arguments, p.words())...)
				if err != nil || strings.Contains(out, "failed") && !strings.Contains(out, "number of failed transactions: 0 ") {
					t.Errorf("pgbench %s: %v %s", strings.Join(arguments, " "), err, out)
				}
			}
			pgbench("-i", "-q")
			for _, mode := range []string{"simple", "extended", "prepared"} {
				pgbench("-M", mode, "-c", "4", "-t", "50")
			}
			for _, mode := range []string{"extended", "prepared"} {
				pgbench("-n", "-M", mode, "-c", "2", "-t", "50", "-f", pipeline)
			}
		})
	}
}

func TestPG6_PgDumpCarriesATableWithItsRows(t *testing.T) {
	t.Parallel()
	target := shop(t, 15)
	p := proxied(t, target, "shop", "shopkeeper", front{})
	file := filepath.Join(t.TempDir(), "dump.sql")
	if out, err := run(t, patience, nil, "pg_dump", "-t", "sales.orders", "-f", file, "-d", p.words()); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	target.Exec(t, "postgres", "CREATE DATABASE copied")
	target.Exec(t, "copied", "CREATE SCHEMA sales")
	psql(t, target, "copied", file)
	digest := "SELECT count(*), md5(string_agg(o::text, ',' ORDER BY id)) FROM sales.orders o"
	if before, after := target.QueryString(t, "shop", digest), target.QueryString(t, "copied", digest); before != after || !strings.HasPrefix(after, "500|") {
		t.Errorf("dumped %s, restored %s", before, after)
	}
	if out, err := run(t, patience, nil, "pg_dump", "--data-only", "--inserts", "-t", "sales.orders", "-d", p.words()); err != nil || strings.Count(out, "INSERT INTO sales.orders") != 500 {
		t.Errorf("%v %s", err, tail(out, 2000))
	}
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }
