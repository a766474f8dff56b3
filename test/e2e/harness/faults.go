package harness

import (
	"fmt"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

var managerLabels = client.MatchingLabels{"app.kubernetes.io/name": "sallyport", v1alpha1.LabelComponent: "manager"}

// KillManagers kills every replica's process at once: no goodbye, and the lease of the
// leader has to run out.
func (c *Cluster) KillManagers(t testing.TB) {
	t.Helper()
	// In the cluster's own process namespace; there are no others of that name.
	c.inside(t, "kill -9 $(pgrep -x manager)")
}

// DeleteManagers deletes every replica's pod at once.
func (c *Cluster) DeleteManagers(t testing.TB) {
	t.Helper()
	c.Administrator.Kubectl(t, "delete", "pod", "-n", v1alpha1.OperatorNamespace,
		"-l", "app.kubernetes.io/name=sallyport,"+v1alpha1.LabelComponent+"=manager", "--grace-period=0", "--force", "--wait=false")
}

// ScaleManagers sets the number of replicas; the test's end sets it back to two.
func (c *Cluster) ScaleManagers(t testing.TB, replicas int) {
	t.Helper()
	scale := func(replicas int) {
		c.Administrator.Kubectl(t, "scale", "-n", v1alpha1.OperatorNamespace, "deployment/sallyport-manager", fmt.Sprint("--replicas=", replicas))
	}
	t.Cleanup(func() { scale(2); c.AwaitManagers(t) })
	scale(replicas)
	Eventually(t, Patience, fmt.Sprint(replicas, " managers"), func() (bool, string) {
		n := len(c.Pods(t, v1alpha1.OperatorNamespace, managerLabels))
		return n == replicas, fmt.Sprint(n)
	})
}

// KillProxy kills the process of a task's proxy: no goodbye.
func (k *Task) KillProxy(t testing.TB) {
	t.Helper()
	// Its spool is mounted from a folder of the pod's UID.
	k.Domain.inside(t, "for p in $(pgrep -x proxy); do if grep -q "+string(k.Pod(t).UID)+" /proc/$p/mountinfo; then kill -9 $p; fi; done")
}

// RestartProxy kills it, and waits until the kubelet has started it again in the same pod.
func (k *Task) RestartProxy(t testing.TB) {
	t.Helper()
	before := k.Pod(t)
	k.KillProxy(t)
	Eventually(t, Patience, "the container again", func() (bool, string) {
		now := k.Pod(t)
		if now == nil || now.UID != before.UID {
			return false, "another pod, or none"
		}
		container := now.Status.ContainerStatuses[0]
		return container.RestartCount > before.Status.ContainerStatuses[0].RestartCount && container.Ready, fmt.Sprintf("%+v", container)
	})
}

// inside runs a shell command in the namespaces of the embedded cluster.
func (c *Cluster) inside(t testing.TB, command string) {
	t.Helper()
	c.clusterCommand(t, "exec", "--name", c.env[envClusterName], "sh", "-c", command)
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
