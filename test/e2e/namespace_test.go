package e2e

import (
	"testing"

	"github.com/sallyport/sallyport/test/e2e/harness"
)

func TestANamespaceDeletedWithAnActiveTaskGoesOnlyAfterTheTask(t *testing.T) {
	t.Parallel()
	d := harness.Open(t).Domain(t)
	task := d.Granted(t, d.Bob, "pay-1", harness.TypeRead)
	waiting := d.Ask(t, d.Bob, "pay-2", harness.TypeRead)
	waiting.AwaitProxy(t)
	role := task.Role(t)
	psql := task.Psql(t)
	psql.Reads(t, "SELECT count(*) FROM orders;", "5000")
	psql.Send(t, endless)

	d.Administrator.Kubectl(t, "delete", "namespace", d.Namespace, "--wait=false")
	psql.Exit(t, harness.Patience)
	d.Administrator.Kubectl(t, "wait", "--for=delete", "namespace/"+d.Namespace, "--timeout=60s")
	if d.Postgres.HasRole(t, role) {
		t.Errorf("role %s is left", role)
	}
	for _, k := range []*harness.Task{task, waiting} {
		if left := d.LeftOf(t, k.UID); len(left) > 0 {
			t.Errorf("left of %s: %v", k.Name, left)
		}
	}
}
