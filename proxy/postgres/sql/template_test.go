package sql_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

func TestTheStatementsOfPgbenchHaveTemplates(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"SELECT abalance FROM pgbench_accounts WHERE aid = 42;":                                              "SELECT abalance FROM pgbench_accounts WHERE aid = ?;",
		"UPDATE pgbench_accounts SET abalance = abalance + -4711 WHERE aid = 77;":                            "UPDATE pgbench_accounts SET abalance = abalance + -? WHERE aid = ?;",
		"INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 2, 3, -4, CURRENT_TIMESTAMP);": "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (?, ?, ?, -?, CURRENT_TIMESTAMP);",
		"delete from t1 where id in (1,22) and a1 >= 3 limit 7":                                              "delete from t1 where id in (?,?) and a1 >= ? limit 7",
	} {
		if got, ok := sql.Template(text); !ok || got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
	for _, text := range []string{
		"SELECT 1", "SELECT a FROM t ORDER BY a, 1", "SELECT a FROM t GROUP BY (1)", "SELECT DISTINCT ON (1) a FROM t",
		"SELECT a FROM t WHERE a = '1'", "SELECT a FROM t WHERE a = $1", "SELECT a FROM t WHERE a = 1 --", "SELECT a FROM t WHERE a = 1 /* x */",
		"SELECT a FROM t WHERE a = 1.5", "SELECT a FROM t WHERE a = 1e5", "SELECT a FROM t WHERE a = 1_000", "SELECT a FROM t WHERE a = 0x1f",
		"SELECT a FROM t WHERE a = 1234567890", "SELECT a FROM t WHERE a = 1; DELETE FROM t", "SET statement_timeout = 1", "SELECT a FROM t WHERE a = ? OR b = 1",
		"SELECT CAST(a AS float(1)) FROM t WHERE a = 1", `SELECT "a" FROM t WHERE a = 1`, "SELECT a FROM t WHERE a = é1", "SELECT[ 1",
	} {
		if got, ok := sql.Template(text); ok {
			t.Errorf("%s has the template %s", text, got)
		}
	}
}

// sameBehind fails where a text and another one of its template mean different things.
func sameBehind(t interface {
	Helper()
	Errorf(string, ...any)
}, text, other string) {
	t.Helper()
	template, ok := sql.Template(text)
	again, too := sql.Template(other)
	if ok != too || template != again {
		t.Errorf("%q and %q have other templates: %q, %q", text, other, template, again)
		return
	}
	if !ok {
		return
	}
	a, b := sql.Read(text, sql.Session{}), sql.Read(other, sql.Session{})
	if len(a) == 1 && len(b) == 1 && a[0].SyntaxError != "" && b[0].SyntaxError != "" {
		return
	}
	if diff := cmp.Diff(a, b, cmpopts.IgnoreFields(sql.Statement{}, "Begin", "End")); diff != "" {
		t.Errorf("%q and %q are both %q, and differ:\n%s", text, other, template, diff)
	}
}

// fill puts integers into a template.
func fill(template string, next func() int) string {
	var b strings.Builder
	for _, c := range template {
		if c == '?' {
			b.WriteString(strconv.Itoa(next()))
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}

func TestTextsOfOneTemplateMeanTheSame(t *testing.T) {
	t.Parallel()
	words := []string{
		"SELECT ", "UPDATE ", "DELETE FROM ", "INSERT INTO ", "t", "t1", " FROM ", " WHERE ", " SET ", " VALUES ", "(", ")", ",", "a", "b2", ".",
		"=", "<", ">=", "+", "-", "*", "/", "%", "!=", " IN ", " AND ", " OR ", " LIMIT ", " OFFSET ", " ORDER BY ", " GROUP BY ", " DISTINCT ON ",
		" FETCH FIRST ", " ROWS ONLY ", " AS ", " CASE WHEN ", " THEN ", " END ", " CAST(", " float(", " numeric(", "count(", "wipe(", " BETWEEN ",
		" UNION SELECT ", " ROW(", " ARRAY ", " IS NULL ", " LIKE ", " INTERVAL ", " OVER (", " FOR UPDATE", "0", "1", "7", "42", "999999999", "1000000000", " ", "\n", ";",
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"SELECT ", "UPDATE t SET a = ", "DELETE FROM t WHERE ", "INSERT INTO t VALUES ("}).Draw(t, "begin") +
			strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 1, 14).Draw(t, "words"), "")
		template, ok := sql.Template(text)
		if !ok {
			return
		}
		sameBehind(t, text, fill(template, func() int { return rapid.IntRange(0, 999_999_999).Draw(t, "value") }))
	})
}

func TestTextsOfTheCorpusMeanTheSameAsOthersOfTheirTemplate(t *testing.T) {
	t.Parallel()
	with := 0
	number := regexp.MustCompile(`'[^']*'|\bx\b`)
	for _, text := range texts(t) {
		// With literals made integers more of them have a template.
		for _, form := range []string{text, number.ReplaceAllString(text, "5")} {
			template, ok := sql.Template(form)
			if !ok {
				continue
			}
			with++
			for _, value := range []int{0, 1, 2, 3, 12345, 999_999_999} {
				sameBehind(t, form, fill(template, func() int { return value }))
			}
		}
	}
	if with < 60 {
		t.Errorf("only %d texts have a template", with)
	}
}

func BenchmarkTemplate(b *testing.B) {
	for b.Loop() {
		sql.Template("UPDATE pgbench_accounts SET abalance = abalance + -4711 WHERE aid = 77;")
	}
}
