package e2e

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

// The pod is gone without a goodbye, and its emptyDir with it; what was recorded lies on
// the volume, and the next proxy of the task has it signed.
func TestREC1_AProxyPodThatIsLostLeavesASignedRecordOnTheVolume(t *testing.T) {
	t.Parallel()
	d := harness.Open(t).Domain(t)
	task := d.Granted(t, d.Bob, "pay-1", harness.TypeRead)
	before := task.Pod(t)
	psql := task.Psql(t)
	psql.Reads(t, "SELECT name FROM customers WHERE id = 1;", "Customer 1")
	says(t, task.Replay(t), "customers WHERE id = 1") // of a session that goes on

	task.KillProxy(t)
	d.Administrator.Kubectl(t, "delete", "pod", before.Name, "-n", v1alpha1.ProxyNamespace, "--grace-period=0", "--force")
	harness.Eventually(t, harness.Patience, "another pod", func() (bool, string) {
		pod := task.Pod(t)
		return pod != nil && pod.UID != before.UID, "none"
	})
	task.AwaitProxy(t)
	again := task.Psql(t)
	again.Reads(t, "SELECT name FROM customers WHERE id = 2;", "Customer 2")
	task.Close(t)
	task.AwaitGone(t, v1alpha1.ReasonClosed)

	says(t, task.Replay(t), "customers WHERE id = 1", "customers WHERE id = 2")
	verdict := task.Verify(t)
	if verdict.Code != 2 {
		t.Errorf("verify: exit code %d, not 2 (something has no end): %s", verdict.Code, verdict)
	}
	says(t, verdict.String(), "INCOMPLETE", "OK: complete", "signed up to segment 1")
	doesNotSay(t, verdict.String(), "FAILED", "not signed", "unsigned")
	segments, signatures := 0, 0
	for name := range task.Files(t) {
		switch {
		case strings.HasSuffix(name, ".seg"):
			segments++
		case strings.HasSuffix(name, ".sig"):
			signatures++
		default:
			t.Errorf("left on the volume: %s", name)
		}
	}
	if segments < 2 || signatures != segments {
		t.Errorf("%d segments with %d signatures", segments, signatures)
	}
}
