package harness

import (
	"fmt"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

var managerLabels = client.MatchingLabels{"app.kubernetes.io/name": "sallyport", v1alpha1.LabelComponent: "manager"}

// KillManagers kills every replica at once, without a chance to say goodbye.
func (c *Cluster) KillManagers(t testing.TB) {
	t.Helper()
	c.Administrator.Kubectl(t, "delete", "pod", "-n", v1alpha1.OperatorNamespace,
		"-l", "app.kubernetes.io/name=sallyport,"+v1alpha1.LabelComponent+"=manager", "--grace-period=0", "--force", "--wait=false")
}

// AwaitManagers waits until both replicas are ready.
func (c *Cluster) AwaitManagers(t testing.TB) {
	t.Helper()
	c.Administrator.Kubectl(t, "rollout", "status", "-n", v1alpha1.OperatorNamespace, "deployment/sallyport-manager", "--timeout=90s")
}

// StopPostgres ends the target; StartPostgres, which the test's end sees to as well,
// brings it back.
func (c *Cluster) StopPostgres(t testing.TB) {
	t.Helper()
	t.Cleanup(func() { c.StartPostgres(t) })
	c.clusterCommand(t, "postgres", "--name", c.env[envClusterName], "stop")
}

// StartPostgres starts the target, unless it runs.
func (c *Cluster) StartPostgres(t testing.TB) {
	t.Helper()
	c.clusterCommand(t, "postgres", "--name", c.env[envClusterName], "start")
	Eventually(t, Patience, "the target's answer", func() (bool, string) {
		_, err := c.Postgres.query(t, "SELECT 'up'")
		return err == nil, fmt.Sprint(err)
	})
}
