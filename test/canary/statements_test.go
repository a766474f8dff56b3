package canary

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/mask"
	"github.com/sallyport/sallyport/internal/pgtest"
)

// withheld begins a message that the target's own stood in place of.
const withheld = "the target's message is withheld"

// TestPG9_EachColumnIsMaskedOrClear runs the statements of testdata/statements.txt,
// each in a transaction that is rolled back, beside PostgreSQL's own answer.
func TestPG9_EachColumnIsMaskedOrClear(t *testing.T) {
	content, err := os.ReadFile("testdata/statements.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range pgtest.Versions() {
		t.Run(fmt.Sprintf("PostgreSQL %d", version), func(t *testing.T) {
			t.Parallel()
			db := newWorld(t, version).database(t, "canaries", firstSeed, 0)
			direct := db.server.Connect(t, db.name)
			if _, err := direct.Exec(t.Context(), "SET ROLE app"); err != nil {
				t.Fatal(err)
			}
			var c *client
			var leaks leaks
			for line := range strings.Lines(string(content)) {
				line = strings.TrimSpace(line)
				switch {
				case line == "", strings.HasPrefix(line, "#"):
				case strings.HasPrefix(line, "["):
					r := terms{how: hows[0], inference: v1alpha1.InferenceRefused, unrestricted: line == "[unrestricted]"}
					if line == "[allowed]" {
						r.inference = v1alpha1.InferenceAllowed
					}
					c = db.open(t, r, &watched{matcher: db.matcher, found: leaks.found}).dial(t, leaks.atClient)
					c.keep = true
				default:
					want, statement, _ := strings.Cut(line, " ")
					leaks.after(statement)
					expect(t, c, direct, want, statement)
				}
			}
			leaks.report(t)
		})
	}
}

func expect(t *testing.T, c *client, direct *pgx.Conn, want, statement string) {
	t.Helper()
	c.query("BEGIN")
	got := c.query(statement)
	c.query("ROLLBACK")
	failed := strings.Join(got.errors, "; ")
	switch want {
	case "refused":
		if !strings.HasPrefix(failed, "42501 ") || !slices.ContainsFunc(got.said, func(s string) bool { return strings.Contains(s, "sallyport") || strings.Contains(s, "refused") }) {
			t.Errorf("%s\n\twas not refused, but answered: %.300q", statement, got.said)
		}
		return
	case "withheld":
		if !strings.Contains(failed, withheld) && !strings.HasPrefix(failed, "23") {
			t.Errorf("%s\n\twas not withheld, but answered: %.300q", statement, got.said)
		}
		return
	case "error":
		if failed == "" || strings.Contains(failed, withheld) || strings.HasPrefix(failed, "42501") {
			t.Errorf("%s\n\tshould fail as PostgreSQL says, but answered: %.300q", statement, got.said)
		}
		return
	}
	if failed != "" {
		t.Errorf("%s\n\tfailed: %s", statement, failed)
		return
	}
	if want == "done" {
		return
	}
	rows := directly(t, direct, statement)
	if len(rows) != len(got.values) || len(rows) == 0 {
		t.Errorf("%s\n\t%d rows, and PostgreSQL has %d", statement, len(got.values), len(rows))
		return
	}
	for i, row := range rows {
		if why := differs(want, row, got.values[i]); why != "" {
			t.Errorf("%s\n\t%s", statement, why)
			return
		}
	}
}

// differs says where a row is not as the letters want it.
func differs(want string, direct, got [][]byte) string {
	if len(want) != len(got) || len(direct) != len(got) {
		return fmt.Sprintf("%d columns are expected, %d came, and PostgreSQL has %d", len(want), len(got), len(direct))
	}
	for i, letter := range want {
		isMasked := got[i] == nil || bytes.Contains(got[i], []byte(mask.Redacted))
		same := bytes.Equal(direct[i], got[i]) && (direct[i] == nil) == (got[i] == nil)
		switch {
		case letter == 'm' && !isMasked:
			return fmt.Sprintf("column %d is not masked: %.100q", i+1, got[i])
		case letter == 'c' && !same:
			return fmt.Sprintf("column %d is not clear: %.100q, where PostgreSQL has %.100q", i+1, got[i], direct[i])
		}
	}
	return ""
}

// directly asks the server itself, and takes back what it did.
func directly(t *testing.T, conn *pgx.Conn, statement string) [][][]byte {
	t.Helper()
	ctx := context.Background()
	if _, err := conn.Exec(ctx, "BEGIN"); err != nil {
		t.Fatal(err)
	}
	results, err := conn.PgConn().Exec(ctx, statement).ReadAll()
	if err != nil {
		t.Errorf("%s\n\tfails on PostgreSQL itself: %v", statement, err)
	}
	if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if len(results) == 0 {
		return nil
	}
	return results[len(results)-1].Rows
}
