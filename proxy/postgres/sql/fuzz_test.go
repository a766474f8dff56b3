package sql_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

// FuzzRead looks for a text that crashes the C parser, takes long, or comes
// out neither understood nor refused.
func FuzzRead(f *testing.F) {
	for _, text := range texts(f) {
		f.Add(text)
	}
	grant := compile(f)
	session := sql.Session{Catalog: smallCatalog(), SearchPath: []string{"pg_catalog", "public"}, Unrestricted: true}
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		actions := classify(text)
		known := sql.Read(text, session)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("took %v", took)
		}
		if len(known) != len(actions) {
			t.Fatalf("%d statements with a catalog, %d without", len(known), len(actions))
		}
		for i, a := range actions {
			if a.Kind == "" && a.Unknown == "" {
				t.Errorf("action %d has neither kind nor reason", i)
			}
			if d := grant.Decide(a, policyContext); d.Effect == "" || d.Rule == "" {
				t.Errorf("action %d: no decision: %+v", i, d)
			}
			if s := known[i]; s.Begin < 0 || s.End > len(text) || s.Begin > s.End || s.Action.Unknown == "" && s.Begin == s.End {
				t.Errorf("statement %d is at %d to %d of %d", i, s.Begin, s.End, len(text))
			}
		}
	})
}

// texts are all of the corpus and of the attempts to get past a policy.
func texts(t testing.TB) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"testdata/corpus/*.yaml", "testdata/bypass/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			var some []struct {
				SQL     string `json:"sql"`
				Want    any    `json:"want"`
				Verdict any    `json:"verdict"`
			}
			read(t, file, &some)
			for _, one := range some {
				out = append(out, one.SQL)
			}
		}
	}
	return out
}
