package e2e

import (
	"maps"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/manifest"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

func TestOP1_NothingThatARequesterWritesReachesAnObjectOfTheOperator(t *testing.T) {
	t.Parallel()
	d := harness.Open(t).Domain(t)
	written := d.Written(t, d.Bob, strings.Repeat("n", 63), harness.TypeRead)
	hostile := strings.Replace(written, "metadata:\n", `metadata:
  labels:
    app.kubernetes.io/component: manager
    access.sallyport.dev/request-uid: another
    pod-security.kubernetes.io/enforce: privileged
  annotations:
    access.sallyport.dev/hostNetwork: "true"
    container.apparmor.security.beta.kubernetes.io/proxy: unconfined
`, 1)
	if hostile == written {
		t.Fatal("the request's YAML has changed its shape")
	}
	d.Bob.KubectlWith(t, hostile, "apply", "-f", "-")
	task := &harness.Task{Domain: d, Requester: d.Bob, Name: strings.Repeat("n", 63)}
	request := task.AwaitProxy(t)
	task.UID = string(request.UID)
	pod := task.Pod(t)
	if !maps.Equal(pod.Labels, manifest.Labels(request)) || len(pod.Annotations) > 0 {
		t.Errorf("labels %v, annotations %v", pod.Labels, pod.Annotations)
	}
	if spec := pod.Spec; spec.HostNetwork || spec.HostPID || spec.HostIPC || len(spec.Containers) != 1 || len(spec.InitContainers) > 0 ||
		spec.ServiceAccountName != manifest.Name(task.UID) || *spec.AutomountServiceAccountToken || spec.Volumes[0].HostPath != nil {
		t.Errorf("%+v", spec)
	}

	// Whatever could break out of a field is refused by the schema.
	for field, value := range map[string]string{
		`"id": "PAY-1423"`:    `"id": "X\nhostNetwork: true"`,
		`"type": "read"`:      `"type": "read: {}"`,
		`"target": "orders"`:  `"target": "../../kube-system/orders"`,
		`"reason": "plain"`:   `"reason": "plain\u202etxt"`,
		`"reviewer": "carol"`: `"reviewer": "carol\u001b[2J"`,
		`"clientKeys": []`:    `"clientKeys": ["command=\"sh\" ssh-ed25519 AAAA"]`,
	} {
		plain := `{"apiVersion": "access.sallyport.dev/v1alpha1", "kind": "TaskAccessRequest", "metadata": {"name": "plain", "namespace": "` + d.Namespace + `"},
"spec": {"task": {"id": "PAY-1423", "type": "read", "reviewer": "carol"}, "target": "orders", "reason": "plain", "durationSeconds": 60, "clientKeys": []}}`
		d.Bob.RefusedWith(t, []string{"nvalid"}, strings.Replace(plain, field, value, 1), "apply", "-f", "-")
	}
	// Nor does bob have any right where the proxies are, but to his own proxy's port.
	for _, verb := range []string{"create pods", "create pods/exec", "get pods/log", "get secrets", "create serviceaccounts/token", "delete pods"} {
		words := append([]string{"auth", "can-i"}, strings.Fields(verb)...)
		if result := d.Bob.Try(t, append(words, "-n", v1alpha1.ProxyNamespace)...); result.Code == 0 {
			t.Errorf("bob may %s in %s", verb, v1alpha1.ProxyNamespace)
		}
	}
}
