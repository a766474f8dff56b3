package sql_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/internal/policy"
)

func one(t *testing.T, text string) policy.Action {
	t.Helper()
	actions := classify(text)
	if len(actions) != 1 {
		t.Fatalf("%.60q: %d actions", text, len(actions))
	}
	return actions[0]
}

func TestWhatTheParserCannotTakeNeverReachesIt(t *testing.T) {
	t.Parallel()
	const many = 150_000
	for name, test := range map[string]struct{ text, unknown string }{
		"a text over the limit":                 {"SELECT '" + strings.Repeat("x", 1<<20) + "'", "the limit is 1048576"},
		"a zero byte":                           {"SELECT 1\x00; DROP TABLE orders", "zero byte"},
		"no UTF-8":                              {"SELECT '\x95\x5c'", "not UTF-8"},
		"a sum of many":                         {"SELECT 1" + strings.Repeat("+1", many), "nested too deeply"},
		"casts of casts":                        {"SELECT 1" + strings.Repeat("::a", many), "nested too deeply"},
		"many arms of UNION":                    {"SELECT 1, 2" + strings.Repeat(" UNION SELECT 1, 2", 40_000), "nested too deeply"},
		"many joins":                            {"SELECT 1 FROM a" + strings.Repeat(" JOIN a ON b AND c", 40_000), "nested too deeply"},
		"BETWEEN, whose AND begins no branch":   {"SELECT a" + strings.Repeat(" between 1 and 2 isnull", 20_000), "nested too deeply"},
		"CASE in CASE":                          {"SELECT " + strings.Repeat("case when a and ", 40_000), "nested too deeply"},
		"CASE in CASE behind an operator":       {"SELECT " + strings.Repeat("case when not not not 1+a then ", 30_000), "nested too deeply"},
		"CASE in ELSE":                          {"SELECT " + strings.Repeat("case when a then b else ", 30_000) + "1" + strings.Repeat(" end", 30_000), "nested too deeply"},
		"CASE and a column called end":          {"SELECT " + strings.Repeat("case when a.end and ", 40_000), "nested too deeply"},
		"CASE and brackets that close too much": {"SELECT " + strings.Repeat("case when a) and ", 40_000), "nested too deeply"},
		"brackets":                              {"SELECT " + strings.Repeat("(", many) + "1" + strings.Repeat(")", many), "nested too deeply"},
		"array in array":                        {"SELECT " + strings.Repeat("ARRAY[1,", 100_000) + "1" + strings.Repeat("]", 100_000), "nested too deeply"},
		"comments in comments":                  {strings.Repeat("/*", many) + strings.Repeat("*/", many) + "SELECT 1", "runs of operator"},
		"one long operator":                     {"SELECT " + strings.Repeat("+", many) + "1", "runs of operator"},
		"one source for many columns":           {"UPDATE t SET (" + strings.Repeat("a,", 5000) + "a) /* x */ = (SELECT " + strings.Repeat("b,", 5000) + "b)", "SET of too many columns"},
		"many sources for many columns":         {"UPDATE t SET a = 1" + strings.Repeat(", ("+strings.Repeat("a,", 100)+"a) = (SELECT "+strings.Repeat("b,", 100)+"b)", 50), "SET of too many columns"},
		"one source, further in":                {"WITH x AS (UPDATE t SET (" + strings.Repeat("a,", 5000) + "a) = (" + strings.Repeat("b,", 5000) + "b) WHERE c RETURNING *) SELECT 1", "SET of too many columns"},
		"recursion in recursion":                {recursion(30), "too many columns to follow"},
		"products of products":                  {products(40), "columns"},
		"statements without end":                {strings.Repeat("SELECT 1;", 2000), "2000 statements"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			action := one(t, test.text)
			if !strings.Contains(action.Unknown, test.unknown) {
				t.Errorf("unknown is %q, want %q in it", action.Unknown, test.unknown)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestLargeTextsThatAreFlatAreUnderstood(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a long list":        "SELECT * FROM orders WHERE id IN (1" + strings.Repeat(", 1", 100_000) + ")",
		"many rows":          "INSERT INTO orders (id, status) VALUES (1, 'a')" + strings.Repeat(", (1, 'a')", 20_000),
		"many alternatives":  "SELECT * FROM orders WHERE false" + strings.Repeat(" OR (id = 1 AND status = 'a')", 20_000),
		"many branches":      "SELECT case id" + strings.Repeat(" when 1 then 'a'", 20_000) + " else case when id = 1 then 2 end end FROM orders",
		"many CASEs":         "SELECT 1" + strings.Repeat(", case when id = 1 then 2 else 3 end", 5_000) + " FROM orders",
		"a long literal":     "SELECT '" + strings.Repeat("a + b - c ", 50_000) + "' FROM orders",
		"many rows compared": "UPDATE orders SET (id, status) = (1, 'a') WHERE false" + strings.Repeat(" OR (id, status) = (1, 'a')", 20_000),
		"banners":            strings.Repeat("-- "+strings.Repeat("-", 76)+"\n", 2000) + "SELECT 1 FROM orders",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			action := one(t, text)
			if action.Unknown != "" || len(action.Access) == 0 || action.Access[0].Name != "orders" {
				t.Errorf("action: %+v", action)
			}
		})
	}
}

func TestPG7_NamesAreCutWherePostgreSQLCutsThem(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 63)
	got := one(t, "SELECT * FROM "+long+"bcd, \"secret"+strings.Repeat("é", 40)+"\"").Access
	want := []policy.Access{
		{Schema: "public", Name: long, Privilege: "SELECT"},
		{Schema: "public", Name: "secret" + strings.Repeat("é", 28), Privilege: "SELECT"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("access (-want +got):\n%s", diff)
	}
	if a := one(t, "SELECT nextval('"+long+"b')"); a.Unknown == "" {
		t.Errorf("a sequence named by a text that PostgreSQL would cut: %+v", a)
	}
}

func TestPositionsAreThoseInTheMessage(t *testing.T) {
	t.Parallel()
	for i, a := range classify("BEGIN; SELECT 1; COMMIT") {
		if a.Position != i || a.Statements != 3 || a.Protocol != "postgres" {
			t.Errorf("action %d: %+v", i, a)
		}
	}
}

// The C parser has code, compiled out in the version we use, that points file
// descriptor 2 at a pipe of its own while it parses.
func TestManyAtOnceLeaveStderrWhereItWas(t *testing.T) {
	before, err := os.Stderr.Stat()
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for worker := range 16 {
		group.Go(func() {
			for i := range 200 {
				text := fmt.Sprintf("SELECT %d FROM orders%d", i, worker)
				if a := classify(text); len(a) != 1 || a[0].Unknown != "" {
					t.Errorf("%s: %+v", text, a)
				}
			}
		})
	}
	group.Wait()
	after, err := os.Stderr.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) {
		t.Error("stderr is another file now")
	}
}

// recursion is recursive queries each in the arm of another.
func recursion(depth int) string {
	if depth == 0 {
		return "SELECT 1, 2"
	}
	return fmt.Sprintf("WITH RECURSIVE r%[1]d (a, b) AS (SELECT x, y FROM t%[1]d UNION ALL SELECT b, a || z FROM r%[1]d, (%[2]s) q) SELECT * FROM r%[1]d", depth, recursion(depth-1))
}

// products doubles the columns of a result at every step.
func products(depth int) string {
	text := "WITH p0 AS (SELECT a, b FROM t)"
	for i := range depth {
		text += fmt.Sprintf(", p%d AS (SELECT * FROM p%d x, p%d y)", i+1, i, i)
	}
	return text + fmt.Sprintf(" SELECT * FROM p%d", depth)
}
