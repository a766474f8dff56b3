package sql_test

import (
	"os"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/sallyport/sallyport/internal/policy"
)

func TestPsqlsOwnQueriesReadSystemCatalogsAndNothingElse(t *testing.T) {
	t.Parallel()
	var queries []struct {
		Command string `json:"command"`
		SQL     string `json:"sql"`
	}
	read(t, "testdata/psql.yaml", &queries)
	grant := compile(t)
	for _, q := range queries {
		actions := classify(q.SQL)
		if len(actions) != 1 {
			t.Errorf("%s: %d actions", q.Command, len(actions))
			continue
		}
		if d := grant.Decide(actions[0], policy.Context{}); d.Effect != "Allow" {
			t.Errorf("%s: %s\n%s\n%+v", q.Command, d.Message, q.SQL, actions[0])
		}
	}
}

func read(t testing.TB, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(data, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
