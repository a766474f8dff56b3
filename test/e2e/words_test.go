package e2e

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/test/e2e/harness"
)

// endless is a statement within every grant that does not come back.
const endless = "SELECT count(*) FROM orders a, orders b, orders c, orders d;"

// says checks that a text holds each of these words.
func says(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("it does not say %q: %s", word, text)
		}
	}
}

// rolesOf lists the roles of a task on the target, whichever installation's.
func rolesOf(t *testing.T, task *harness.Task) []string {
	t.Helper()
	return task.Domain.Postgres.Query(t, "SELECT rolname::text FROM pg_roles WHERE strpos(rolname, $1) > 0",
		strings.ReplaceAll(task.UID, "-", ""))
}

// doesNotSay checks that a text holds none of these words.
func doesNotSay(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if strings.Contains(text, word) {
			t.Errorf("it says %q: %s", word, text)
		}
	}
}
