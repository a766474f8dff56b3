package e2e

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

func TestLIFE4_AProxyPodDeletedMidSessionIsReplacedAndItsRecordingKept(t *testing.T) {
	t.Parallel()
	d := harness.Open(t).Domain(t)
	task := d.Granted(t, d.Bob, "pay-1", harness.TypeRead)
	role, before := task.Role(t), task.Pod(t)
	psql := task.Psql(t)
	psql.Reads(t, "SELECT name FROM customers WHERE id = 1;", "Customer 1")

	d.Administrator.Kubectl(t, "delete", "pod", before.Name, "-n", v1alpha1.ProxyNamespace)
	psql.Send(t, "SELECT 1;")
	if _, code := psql.Exit(t, harness.Patience); code == 0 {
		t.Error("the session outlived its proxy")
	}
	harness.Eventually(t, harness.Patience, "another pod", func() (bool, string) {
		pod := task.Pod(t)
		return pod != nil && pod.UID != before.UID, "none"
	})
	task.AwaitProxy(t)
	again := task.Psql(t)
	again.Reads(t, "SELECT name FROM customers WHERE id = 2;", "Customer 2")
	if now := task.Role(t); now != role || len(rolesOf(t, task)) != 1 {
		t.Errorf("role %s became %s: %v", role, now, rolesOf(t, task))
	}
	says(t, task.Replay(t), "customers WHERE id = 1", "customers WHERE id = 2")

	task.Close(t)
	task.AwaitGone(t, v1alpha1.ReasonClosed)
	if verdict := task.Verify(t); verdict.Code != 0 {
		t.Errorf("both sessions were ended in order, and verify says: %s", verdict)
	}
}

func TestREC1_AProxyKilledMidSessionLeavesARecordThatIsIncompleteAndNotTampered(t *testing.T) {
	t.Parallel()
	d := harness.Open(t).Domain(t)
	task := d.Granted(t, d.Bob, "pay-1", harness.TypeRead)
	psql := task.Psql(t)
	psql.Reads(t, "SELECT name FROM customers WHERE id = 1;", "Customer 1")
	task.RestartProxy(t)
	psql.Send(t, "SELECT 1;")
	if _, code := psql.Exit(t, harness.Patience); code == 0 {
		t.Error("the session outlived its proxy")
	}
	again := task.Psql(t)
	again.Reads(t, "SELECT name FROM customers WHERE id = 2;", "Customer 2")
	task.Close(t)
	task.AwaitGone(t, v1alpha1.ReasonClosed)
	verdict := task.Verify(t)
	if verdict.Code == 0 || strings.Contains(verdict.String(), "FAILED") {
		t.Errorf("verify: exit code %d", verdict.Code)
	}
	says(t, verdict.String(), "INCOMPLETE", "OK: complete")
	says(t, task.Replay(t), "customers WHERE id = 1", "customers WHERE id = 2")
}
