package sql_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sallyport/sallyport/internal/pgtest"
	"github.com/sallyport/sallyport/internal/policy"
)

// TestPG7_TheServerAsksForNothingThatWasNotPredicted runs the corpus as a role that
// holds just the predicted privileges: were anything else touched, PostgreSQL would
// refuse it. And what was predicted to write nothing runs read-only.
func TestPG7_TheServerAsksForNothingThatWasNotPredicted(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{})
	setup, err := os.ReadFile("testdata/oracle.sql")
	if err != nil {
		t.Fatal(err)
	}
	server.Exec(t, "postgres", string(setup))
	o := oracle{t: t, conn: server.Connect(t, "postgres")}
	for _, file := range []string{"reads", "writes", "bypass"} {
		var statements []statement
		read(t, filepath.Join("testdata/corpus", file+".yaml"), &statements)
		for _, s := range statements {
			text := parameter.ReplaceAllString(s.SQL, "NULL")
			actions := classify(text)
			if len(actions) == 1 && runs(actions[0]) {
				o.try(text, actions[0])
			}
		}
	}
	if o.ran < 110 {
		t.Errorf("only %d statements ran to their end", o.ran)
	}
}

var parameter = regexp.MustCompile(`\$[0-9]+`)

func runs(a policy.Action) bool {
	kinds := []string{"select", "values", "insert", "update", "delete", "merge", "explain", "declare", "copy-to", "copy-from"}
	return a.Unknown == "" && slices.Contains(kinds, a.Kind) &&
		!slices.ContainsFunc(a.Functions, func(f string) bool { return strings.HasPrefix(f, "pg_catalog.") })
}

type oracle struct {
	t    *testing.T
	conn *pgx.Conn
	ran  int
}

func (o *oracle) try(text string, a policy.Action) {
	ctx := o.t.Context()
	must := func(sql string) {
		if err := o.conn.PgConn().Exec(ctx, sql).Close(); err != nil {
			o.t.Fatalf("%s: %v", sql, err)
		}
	}
	must("BEGIN")
	defer must("ROLLBACK")
	for _, grant := range grants(a) {
		// What the statement names may not exist here: then it fails by that.
		must("SAVEPOINT g")
		if o.conn.PgConn().Exec(ctx, grant).Close() != nil {
			must("ROLLBACK TO g")
		}
	}
	must("SET LOCAL ROLE task")
	if len(a.Sequences) == 0 && !slices.ContainsFunc(a.Access, func(a policy.Access) bool { return a.Privilege != "SELECT" }) {
		must("SET LOCAL transaction_read_only = on")
	}
	err := o.run(text, a.Kind)
	failed, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case err == nil:
		o.ran++
	case !ok:
		o.t.Fatalf("%s: %v", text, err)
	case failed.Code == "42501" && !strings.Contains(failed.Message, "schema"):
		o.t.Errorf("%s\npredicted %v %v %v\nserver: %s", text, a.Access, a.Functions, a.Sequences, failed.Message)
	case failed.Code == "25006":
		o.t.Errorf("%s\npredicted to write nothing\nserver: %s", text, failed.Message)
	default:
		o.t.Logf("%.60s: %s", text, failed.Message)
	}
}

func (o *oracle) run(text, kind string) error {
	conn := o.conn.PgConn()
	switch kind {
	case "copy-to":
		_, err := conn.CopyTo(o.t.Context(), io.Discard, text)
		return err
	case "copy-from":
		_, err := conn.CopyFrom(o.t.Context(), strings.NewReader(""), text)
		return err
	default:
		return conn.Exec(o.t.Context(), text).Close()
	}
}

func grants(a policy.Action) []string {
	var out []string
	for _, access := range a.Access {
		out = append(out, "GRANT "+string(access.Privilege)+" ON "+pgx.Identifier{access.Schema, access.Name}.Sanitize()+" TO task")
	}
	for _, f := range a.Functions {
		out = append(out, "GRANT EXECUTE ON FUNCTION "+pgx.Identifier(strings.SplitN(f, ".", 2)).Sanitize()+" TO task")
	}
	for _, s := range a.Sequences {
		out = append(out, "GRANT USAGE ON SEQUENCE "+pgx.Identifier(strings.SplitN(s, ".", 2)).Sanitize()+" TO task")
	}
	return out
}

func TestTheListsAreThoseOfARealServer(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{})
	query, err := os.ReadFile("catalog.sql")
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile("catalog.txt")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(server.QueryString(t, "postgres", "SHOW server_version_num"), "15") {
		t.Log("the lists are made from PostgreSQL 15: nothing to compare on another")
		return
	}
	got := strings.TrimSpace(server.QueryString(t, "postgres", strings.TrimSuffix(strings.TrimSpace(string(query)), ";")))
	if diff := cmp.Diff(strings.Split(strings.TrimSpace(string(committed)), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("go generate gives another list (-committed +server):\n%s", diff)
	}
}
