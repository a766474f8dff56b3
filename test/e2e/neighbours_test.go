package e2e

import (
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/manifest"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

func TestLIFE6_TwoTasksOfOnePersonOnOneTargetAreStrangers(t *testing.T) {
	t.Parallel()
	d := harness.Open(t).Domain(t)
	one, two := d.Ask(t, d.Bob, "pay-1", harness.TypeRead), d.Ask(t, d.Bob, "pay-2", harness.TypeFix)
	one.Approve(t, d.Alice)
	one.AwaitState(t, v1alpha1.ReasonActive)
	first := one.Psql(t)
	first.Reads(t, "SELECT 'of the first task';", "of the first task")

	// The approval of one is none of the other.
	held := two.Psql(t)
	held.Err.Await(t, 0, "NOTICE:", harness.Patience)
	two.Approve(t, d.Alice)
	two.Approve(t, d.Carol)
	two.AwaitState(t, v1alpha1.ReasonActive)
	held.Reads(t, "SELECT 'of the second task';", "of the second task")
	if one.Role(t) == two.Role(t) {
		t.Errorf("both are role %s", one.Role(t))
	}

	// What the second may write the first may not.
	first.Refuses(t, "UPDATE orders SET note = 'one' WHERE id = 1;", "lacks UPDATE")
	// The key of one does not open the other.
	d.Bob.Refused(t, []string{"no password supplied"}, "access", "psql", "pay-2", "-n", d.Namespace, "--key", d.Bob.KeyOf(t, one), "--", "-w", "-c", "SELECT 1")
	// Nor does another person of the group reach either, by the API server or by a key.
	d.Dave.Refused(t, []string{"orbidden"}, "port-forward", "-n", v1alpha1.ProxyNamespace, "pod/"+manifest.Name(one.UID), ":5432")
	d.Dave.Refused(t, []string{"none of the request's client keys"}, "access", "psql", "pay-1", "-n", d.Namespace)
	// Nobody but the auditor reads a recording, the requester included.
	d.Bob.Refused(t, []string{"orbidden"}, "access", "replay", "pay-1", "-n", d.Namespace)

	// The end of one is not the other's.
	one.Close(t)
	one.AwaitGone(t, v1alpha1.ReasonClosed)
	held.Reads(t, "SELECT 'still here';", "still here")
	recording := one.Replay(t)
	says(t, recording, "of the first task")
	doesNotSay(t, recording, "of the second task")
}
