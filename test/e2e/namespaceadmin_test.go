package e2e

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

func TestOP2_ANamespaceAdministratorGetsNoCredentialAndSendsItNowhereElse(t *testing.T) {
	t.Parallel()
	d := harness.Open(t).Domain(t)
	mallory := d.User(t, "mallory")
	d.Administrator.Kubectl(t, "create", "rolebinding", "everything", "--clusterrole=cluster-admin", "--user=mallory", "-n", d.Namespace)

	// The credential is elsewhere.
	for _, namespace := range []string{v1alpha1.TargetNamespace, v1alpha1.OperatorNamespace, v1alpha1.ProxyNamespace} {
		mallory.Refused(t, []string{"orbidden"}, "get", "secrets", "-n", namespace)
		mallory.Refused(t, []string{"orbidden"}, "get", "pods", "-n", namespace)
	}
	// A target of her own has no Secret; one by the name that has, at another address,
	// is not what the Secret pins.
	target := func(name, host string) string {
		ca := strings.ReplaceAll(strings.TrimSpace(d.Postgres.CA), "\n", "\n        ")
		return fmt.Sprintf(`apiVersion: access.sallyport.dev/v1alpha1
kind: AccessTarget
metadata: {name: %s, namespace: %s}
spec:
  postgres:
    host: %s
    port: 5432
    databases: [orders]
    tls:
      caBundle: |
        %s
`, name, d.Namespace, host, ca)
	}
	state := func(name string) string {
		object := harness.Get(t, d.Cluster, &v1alpha1.AccessTarget{ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: name}})
		for _, condition := range object.Status.Conditions {
			if condition.Type == v1alpha1.ConditionReady {
				return condition.Reason
			}
		}
		return ""
	}
	mallory.KubectlWith(t, target("mine", "spare.targets.test"), "apply", "-f", "-")
	harness.Eventually(t, harness.Patience, "a target without a Secret", func() (bool, string) {
		return state("mine") == v1alpha1.ReasonNoSecret, state("mine")
	})
	mallory.Refused(t, []string{"immutable"}, "patch", "atgt", harness.Target, "-n", d.Namespace, "--type=merge",
		"-p", `{"spec":{"postgres":{"host":"spare.targets.test"}}}`)
	mallory.Kubectl(t, "delete", "atgt", harness.Target, "-n", d.Namespace)
	mallory.KubectlWith(t, target(harness.Target, "spare.targets.test"), "apply", "-f", "-")
	harness.Eventually(t, harness.Patience, "a target that is not the pinned one", func() (bool, string) {
		return state(harness.Target) == v1alpha1.ReasonMismatch, state(harness.Target)
	})
	if moved := harness.Get(t, d.Cluster, d.Target()); len(moved.Status.Addresses) > 0 {
		t.Errorf("proxies would reach %v", moved.Status.Addresses)
	}

	// The true target again, with a policy of her own that approves everything: she gets
	// what a policy can give, which is no administrator's.
	mallory.Kubectl(t, "delete", "atgt", harness.Target, "-n", d.Namespace)
	mallory.KubectlWith(t, target(harness.Target, d.Postgres.Name), "apply", "-f", "-")
	d.AwaitReady(t, d.Target())
	mallory.KubectlWith(t, fmt.Sprintf(`apiVersion: access.sallyport.dev/v1alpha1
kind: AccessPolicy
metadata: {name: mine, namespace: %s}
spec:
  taskTypes: [mine]
  targets: [orders]
  grant: {postgres: {database: orders, relations: [{schema: pg_catalog, name: pg_authid, privileges: [SELECT]}]}}
  review: {autoApprove: "true", expiresAfterSeconds: 60}
  session: {maxDurationSeconds: 600}
`, d.Namespace), "apply", "-f", "-")
	mallory.KubectlWith(t, d.Written(t, mallory, "pay-1", "mine", "--duration=60s"), "apply", "-f", "-")
	task := &harness.Task{Domain: d, Requester: mallory, Name: "pay-1"}
	refused := task.Await(t, "no grant on a catalog", func(r *v1alpha1.TaskAccessRequest) bool {
		reason, message := harness.State(r)
		return reason != v1alpha1.ReasonActive && strings.Contains(message, "system schema") || reason == v1alpha1.ReasonNoPolicy
	})
	task.UID = string(refused.UID)
	if len(rolesOf(t, task)) > 0 {
		t.Errorf("the target has %v", rolesOf(t, task))
	}
	// Nor does she write what only the operator may.
	mallory.Refused(t, []string{"nobody else writes it"}, "patch", "atgt", harness.Target, "-n", d.Namespace, "--subresource=status",
		"--type=merge", "-p", `{"status":{"addresses":["10.91.0.11"]}}`)
}
