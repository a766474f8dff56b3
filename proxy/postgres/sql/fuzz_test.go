package sql_test

import (
	"path/filepath"
	"testing"
	"time"
)

// FuzzRead looks for a text that crashes the C parser, takes long, or comes
// out neither understood nor refused.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/corpus/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		var statements []statement
		read(f, file, &statements)
		for _, s := range statements {
			f.Add(s.SQL)
		}
	}
	grant := compile(f)
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		actions := classify(text)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("took %v", took)
		}
		for i, a := range actions {
			if a.Kind == "" && a.Unknown == "" {
				t.Errorf("action %d has neither kind nor reason", i)
			}
			if d := grant.Decide(a, policyContext); d.Effect == "" || d.Rule == "" {
				t.Errorf("action %d: no decision: %+v", i, d)
			}
		}
	})
}
