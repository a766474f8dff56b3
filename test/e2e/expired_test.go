package e2e

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

// The role is looked at while the task's time is over and its teardown has not come
// yet: it is the target itself that refuses then, by VALID UNTIL.
func TestLIFE1_AtExpiryASessionIdleInATransactionEndsAndItsLocksWithIt(t *testing.T) {
	t.Parallel()
	d := harness.Open(t).Domain(t)
	task := d.Granted(t, d.Bob, "pay-1", harness.TypeFix, "--duration=15s")
	role, deadline := task.Role(t), task.Get(t).Status.ExpiresAt.Time
	idle := task.Psql(t)
	idle.Reads(t, "BEGIN;", "")
	idle.Reads(t, "UPDATE orders SET note = 'never committed' WHERE id = 4711 RETURNING id;", "4711")
	busy := task.Psql(t)
	busy.Send(t, endless)

	ended, _ := busy.Exit(t, harness.Patience)
	gone := d.Postgres.AwaitNoSession(t, role, harness.Patience)
	if ended.Before(deadline.Add(-time.Second)) {
		t.Errorf("the session ended %v early", deadline.Sub(ended))
	}
	harness.Within(t, "a running statement ended after the deadline", ended.Sub(deadline), harness.Soon)
	harness.Within(t, "the target had no session left after the deadline", gone.Sub(deadline), harness.Soon)
	says(t, busy.Err.String(), "FATAL", "time is over")
	// psql, which reads its standard input, hears of it with its next statement.
	idle.Send(t, "COMMIT;")
	if _, code := idle.Exit(t, harness.Patience); code != 2 {
		t.Errorf("psql left with %d, not 2 (connection lost): %s", code, idle.Err)
	}
	task.AwaitGone(t, v1alpha1.ReasonExpired)
	if notes := d.Postgres.Query(t, "SELECT note FROM orders WHERE id = 4711 AND note IS NOT NULL"); len(notes) > 0 {
		t.Errorf("the open transaction was committed: %v", notes)
	}
	d.Bob.Refused(t, []string{"over"}, "access", "psql", "pay-1", "-n", d.Namespace, "--", "-c", "SELECT 1")
}
