package sql_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/pgtest"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/catalog"
	"github.com/sallyport/sallyport/proxy/postgres/judge"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

var update = flag.Bool("update", false, "write testdata/bypass anew; read the difference before you believe it")

// attempt is one text that somebody may try, what each of its statements is, and
// what becomes of it under each policy.
type attempt struct {
	SQL  string  `json:"sql"`
	Want []tried `json:"want"`
	// Verdict by policy: Allow, or the rule that denies.
	Verdict map[string]string `json:"verdict"`
}

type tried struct {
	Kind      string   `json:"kind"`
	Access    []string `json:"access,omitempty"`
	Columns   []string `json:"columns,omitempty"`
	Functions []string `json:"functions,omitempty"`
	Unknown   string   `json:"unknown,omitempty"`
	Opaque    bool     `json:"opaque,omitempty"`
	// Masked are the columns of the result that the mask of customers.email covers,
	// by their place from 1; 0 is all, because what comes out is not known.
	Masked []int `json:"masked,omitempty"`
}

// bypassPolicies are what the attempts run under: a grant that reads two tables, one
// that reads and writes some of which customers.email is masked, and everything but
// that column.
func bypassPolicies(t *testing.T) map[string]*policy.Policy {
	t.Helper()
	relation := func(name string, privileges ...v1alpha1.RelationPrivilege) v1alpha1.RelationGrant {
		return v1alpha1.RelationGrant{Name: name, Privileges: privileges}
	}
	masks := &v1alpha1.MaskingPolicy{Inference: v1alpha1.InferenceRefused, Columns: []v1alpha1.ColumnMask{{Schema: "public", Relation: "customers", Column: "email"}}}
	specs := map[string]v1alpha1.AccessPolicySpec{
		"readonly": {Grant: v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{
			Database: "orders", Relations: []v1alpha1.RelationGrant{relation("orders", "SELECT"), relation("customers", "SELECT")},
		}}},
		"masked": {Masking: masks, Grant: v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{
			Database: "orders",
			Relations: []v1alpha1.RelationGrant{
				relation("orders", "SELECT", "INSERT", "UPDATE", "DELETE"), relation("customers", "SELECT", "INSERT", "UPDATE"),
				relation("archive", "SELECT", "INSERT"), relation("everyone", "SELECT"), relation("customer_emails", "SELECT"),
				relation("lengths", "SELECT"), relation("vip", "SELECT"), relation("cache", "SELECT"),
			},
			Functions: []string{"public.contact", "public.emails", "public.everyone_else", "public.same", "public.gather", "pg_catalog.pg_notify"},
			Sequences: []string{"public.numbers"},
		}}},
		"owner": {Masking: masks, Grant: v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{Database: "orders", Unrestricted: true}}},
	}
	policies := map[string]*policy.Policy{}
	for name, spec := range specs {
		p, err := policy.Compile(name, spec)
		if err != nil {
			t.Fatal(err)
		}
		policies[name] = p
	}
	return policies
}

// target is a server with what the attempts are made on, and its catalog.
func target(t *testing.T) (*pgx.Conn, sql.Session) {
	t.Helper()
	server := pgtest.Start(t, pgtest.Options{})
	setup, err := os.ReadFile("testdata/bypass/setup.sql")
	if err != nil {
		t.Fatal(err)
	}
	server.Exec(t, "postgres", string(setup))
	conn := server.Connect(t, "postgres")
	snapshot, err := catalog.Load(t.Context(), func(ctx context.Context, query string) ([][]string, error) {
		results, err := conn.PgConn().Exec(ctx, query).ReadAll()
		if err != nil {
			return nil, err
		}
		var rows [][]string
		for _, row := range results[0].Rows {
			var texts []string
			for _, value := range row {
				texts = append(texts, string(value))
			}
			rows = append(rows, texts)
		}
		return rows, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return conn, sql.Session{Catalog: snapshot, SearchPath: []string{"pg_catalog", "public"}}
}

func TestPG7_PG9_NoAttemptGetsPastItsPolicy(t *testing.T) {
	t.Parallel()
	conn, session := target(t)
	policies := bypassPolicies(t)
	judged := judge.New(0)
	files, err := filepath.Glob("testdata/bypass/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, file := range files {
		var attempts []attempt
		read(t, file, &attempts)
		total += len(attempts)
		for i := range attempts {
			one := &attempts[i]
			got := attempt{SQL: one.SQL, Verdict: map[string]string{}}
			reached := judged.Read(one.SQL, session)
			for at, s := range sql.Read(one.SQL, session) {
				got.Want = append(got.Want, try(s, reached[at]))
			}
			for name, p := range policies {
				in := session
				in.Unrestricted = name == "owner"
				got.Verdict[name] = verdict(p, judged.Read(one.SQL, in))
			}
			if *update {
				attempts[i] = got
			} else if diff := cmp.Diff(*one, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: %s\n(-want +got):\n%s", filepath.Base(file), one.SQL, diff)
			}
			if got.Verdict["masked"] == "Allow" {
				shows(t, conn, one.SQL, reached)
			}
		}
		if *update {
			write(t, file, attempts)
		}
	}
	if total < 300 {
		t.Errorf("%d attempts are left", total)
	}
}

func try(s, reached sql.Statement) tried {
	a := s.Action
	out := tried{Kind: a.Kind, Functions: a.Functions, Unknown: a.Unknown, Opaque: a.Opaque != "", Masked: maskedOutputs(reached)}
	for _, access := range a.Access {
		out.Access = append(out.Access, string(access.Privilege)+" "+access.Schema+"."+access.Name)
	}
	for _, c := range a.Columns {
		out.Columns = append(out.Columns, string(c.Use)+" "+c.Schema+"."+c.Relation+"."+c.Column)
	}
	return out
}

// maskedOutputs are the places of a result at which customers.email is, from 1.
func maskedOutputs(s sql.Statement) []int {
	email := func(c policy.ColumnUse) bool {
		return c.Schema == "public" && c.Relation == "customers" && (c.Column == "email" || c.Column == "*") && c.Use == policy.UseOutput
	}
	if s.Outputs == nil && slices.ContainsFunc(s.Action.Columns, email) {
		return []int{0}
	}
	var out []int
	for i, o := range s.Outputs {
		if slices.ContainsFunc(o.Columns, email) {
			out = append(out, i+1)
		}
	}
	return out
}

func verdict(p *policy.Policy, statements []sql.Statement) string {
	for _, s := range statements {
		if d := p.Decide(s.Action, policy.Context{}); d.Effect != v1alpha1.EffectAllow {
			return d.Rule
		}
	}
	return "Allow"
}

// shows runs what is allowed under masks, and looks for values of the masked column
// where no mask is.
func shows(t *testing.T, conn *pgx.Conn, text string, statements []sql.Statement) {
	t.Helper()
	if strings.HasPrefix(text, "COPY") || len(statements) != 1 {
		return
	}
	masked := maskedOutputs(statements[0])
	raw := conn.PgConn()
	if err := raw.Exec(t.Context(), "BEGIN").Close(); err != nil {
		t.Fatal(err)
	}
	results, err := raw.Exec(t.Context(), text).ReadAll()
	if err == nil && strings.HasPrefix(text, "DECLARE") {
		results, err = raw.Exec(t.Context(), "FETCH ALL FROM c").ReadAll()
	}
	if err != nil {
		t.Logf("%s: %v", text, err)
	}
	for _, result := range results {
		outputs := statements[0].Outputs
		if n := len(result.FieldDescriptions); outputs != nil && n > 0 && n != len(outputs) {
			t.Errorf("%s: %d columns, not %d", text, n, len(outputs))
		}
		for _, row := range result.Rows {
			for i, value := range row {
				if bytes.Contains(value, []byte("canary-")) && !slices.Contains(masked, i+1) && !slices.Contains(masked, 0) {
					t.Errorf("%s: column %d shows %s", text, i+1, value)
				}
			}
		}
	}
	if err := raw.Exec(t.Context(), "ROLLBACK").Close(); err != nil {
		t.Fatal(err)
	}
}

// write puts attempts into a file in the form that is easiest to read.
func write(t *testing.T, file string, attempts []attempt) {
	t.Helper()
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for line := range strings.Lines(string(old)) {
		if !strings.HasPrefix(line, "#") {
			break
		}
		b.WriteString(line)
	}
	quoted := func(v any) string {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(v); err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(text.String())
	}
	for _, a := range attempts {
		fmt.Fprintf(&b, "- sql: %s\n  want:\n", quoted(a.SQL))
		for _, w := range a.Want {
			fmt.Fprintf(&b, "    - %s\n", quoted(w))
		}
		b.WriteString("  verdict: {")
		for i, name := range slices.Sorted(maps.Keys(a.Verdict)) {
			fmt.Fprintf(&b, "%s%s: %s", strings.Repeat(", ", min(i, 1)), name, a.Verdict[name])
		}
		b.WriteString("}\n")
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
