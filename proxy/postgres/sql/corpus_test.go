package sql_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

// statement is one line of the corpus: a text, and what is expected of each
// statement in it. Only unknown is compared by a part of it.
type statement struct {
	SQL  string     `json:"sql"`
	Want []expected `json:"want"`
}

type expected struct {
	Kind      string   `json:"kind"`
	Access    []string `json:"access,omitempty"`
	Functions []string `json:"functions,omitempty"`
	Sequences []string `json:"sequences,omitempty"`
	Where     bool     `json:"where,omitempty"`
	Unknown   string   `json:"unknown,omitempty"`
}

func TestPG7_EveryStatementOfTheCorpusIsWhatItClaims(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/corpus/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	total := 0
	for _, file := range files {
		var statements []statement
		read(t, file, &statements)
		total += len(statements)
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			for _, s := range statements {
				got := classify(s.SQL)
				if diff := cmp.Diff(s.Want, flatten(s.Want, got), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s\n(-want +got):\n%s", s.SQL, diff)
				}
			}
		})
	}
	if total < 120 {
		t.Errorf("the corpus has shrunk to %d statements", total)
	}
}

func TestPG7_NoBypassGetsPastAGrantThatReadsTwoTables(t *testing.T) {
	t.Parallel()
	grant := compile(t)
	for _, file := range []string{"testdata/corpus/bypass.yaml", "testdata/corpus/outside.yaml"} {
		var statements []statement
		read(t, file, &statements)
		for _, s := range statements {
			refused := false
			for _, action := range classify(s.SQL) {
				d := grant.Decide(action, policy.Context{})
				refused = refused || d.Effect == v1alpha1.EffectDeny && d.Message != ""
			}
			if !refused {
				t.Errorf("allowed: %s", s.SQL)
			}
		}
	}
}

// flatten turns actions into the corpus' form. A reason that holds the expected
// words counts as them.
func flatten(want []expected, actions []policy.Action) []expected {
	var out []expected
	for i, a := range actions {
		e := expected{Kind: a.Kind, Functions: a.Functions, Sequences: a.Sequences, Where: a.HasWhere, Unknown: a.Unknown}
		for _, access := range a.Access {
			e.Access = append(e.Access, string(access.Privilege)+" "+access.Schema+"."+access.Name)
		}
		if i < len(want) && want[i].Unknown != "" && strings.Contains(a.Unknown, want[i].Unknown) {
			// What else is known of a refused statement does not matter.
			e = want[i]
		}
		out = append(out, e)
	}
	return out
}

// compile is a policy that grants the tables of the corpus.
func compile(t testing.TB) *policy.Policy {
	t.Helper()
	p, err := policy.Compile("orders", v1alpha1.AccessPolicySpec{Grant: v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{
		Database: "orders",
		Relations: []v1alpha1.RelationGrant{
			{Name: "orders", Privileges: []v1alpha1.RelationPrivilege{"SELECT"}},
			{Name: "customers", Privileges: []v1alpha1.RelationPrivilege{"SELECT"}},
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// classify reads a text as for an ordinary grant, with no catalog.
func classify(text string) []policy.Action {
	var out []policy.Action
	for _, s := range sql.Read(text, sql.Session{}) {
		out = append(out, s.Action)
	}
	return out
}
