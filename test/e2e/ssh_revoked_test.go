package e2e

import (
	"path/filepath"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

// A server with the list of revoked certificates does not wait until they run out.
func TestLIFE1_AServerWithTheListRefusesTheCertificatesOfAClosedTaskAtOnce(t *testing.T) {
	t.Parallel()
	d, server := harness.Open(t).ServerDomain(t, func(p *v1alpha1.AccessPolicySpec) { p.Grant.SSH.Commands = harness.Commands("id -un") })
	// So long that nothing but the list can end the task in this test's time.
	d.Administrator.Kubectl(t, "patch", "atgt", harness.Web, "-n", d.Namespace, "--type=merge", "-p", `{"spec":{"ssh":{"certificateSeconds":600}}}`)
	d.AwaitReady(t, &v1alpha1.AccessTarget{ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: harness.Web}})
	task := d.Granted(t, d.Bob, "web-1", harness.TypeDeploy)
	tools := task.Tools(t)
	list := filepath.Join(t.TempDir(), "krl")
	revoke := func() {
		d.Administrator.Kubectl(t, "access", "krl", harness.Web, "-n", d.Namespace, "-f", list)
		server.Revoke(t, read(t, list))
	}
	// While it is open the list has nothing of it.
	revoke()
	says(t, tools.Do(t, "ssh", tools.Host, "id -un"), "deploy")

	task.Close(t)
	revoke()
	// The manager asks once a minute.
	harness.Eventually(t, 2*harness.Patience, "its end", func() (bool, string) {
		reason, message := harness.State(task.Get(t))
		return reason == v1alpha1.ReasonClosed, reason + ": " + message
	})
	request := task.AwaitGone(t, v1alpha1.ReasonClosed)
	says(t, request.Status.Teardown.Message, "are revoked", "refuses one on the task's terms", "takes others of its authority")
	says(t, server.Log(t), "revoked by file")
}
