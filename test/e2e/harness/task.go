package harness

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/manifest"
)

// Task is somebody's request in a domain.
type Task struct {
	Domain    *Domain
	Requester *User
	Name, UID string
}

// Ask requests access for a task as people do: the plugin writes the request with a
// key of its own, kubectl applies it. Flags are those of kubectl access request.
func (d *Domain) Ask(t testing.TB, who *User, name, kind string, flags ...string) *Task {
	t.Helper()
	request := d.Written(t, who, name, kind, flags...)
	who.KubectlWith(t, request, "apply", "-f", "-")
	k := &Task{Domain: d, Requester: who, Name: name}
	k.UID = string(k.Get(t).UID)
	return k
}

// Written is the request as the plugin writes it, in YAML; its key is kept.
func (d *Domain) Written(t testing.TB, who *User, name, kind string, flags ...string) string {
	t.Helper()
	args := []string{
		"access", "request", name, "-n", d.Namespace, "--dry-run", "--task=" + strings.ToUpper(name), "--type=" + kind,
		"--target=" + d.target, "--reason=Orders of 12 May carry the wrong currency", "--reviewer=carol",
	}
	return who.Kubectl(t, append(args, flags...)...)
}

// Get reads the request.
func (k *Task) Get(t testing.TB) *v1alpha1.TaskAccessRequest {
	t.Helper()
	return Get(t, k.Domain.Cluster, &v1alpha1.TaskAccessRequest{ObjectMeta: k.Domain.meta(k.Name)})
}

// Review reads the request's review.
func (k *Task) Review(t testing.TB) *v1alpha1.ApprovalReview {
	t.Helper()
	return Get(t, k.Domain.Cluster, &v1alpha1.ApprovalReview{ObjectMeta: k.Domain.meta(k.Get(t).Status.Review)})
}

// Pod reads the task's proxy, or returns nil.
func (k *Task) Pod(t testing.TB) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.ProxyNamespace, Name: manifest.Name(k.UID)}}
	err := k.Domain.Admin.Get(t.Context(), client.ObjectKeyFromObject(pod), pod)
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	if err != nil {
		return nil
	}
	return pod
}

// State is the reason of Ready, the column STATE.
func State(r *v1alpha1.TaskAccessRequest) (reason, message string) {
	for _, condition := range r.Status.Conditions {
		if condition.Type == v1alpha1.ConditionReady {
			return condition.Reason, condition.Message
		}
	}
	return "", ""
}

// AwaitState waits for a state, and returns the request in it.
func (k *Task) AwaitState(t testing.TB, state string) *v1alpha1.TaskAccessRequest {
	t.Helper()
	return k.Await(t, "state "+state, func(r *v1alpha1.TaskAccessRequest) bool {
		reason, _ := State(r)
		return reason == state
	})
}

// Await waits until a request is as wanted, and returns it.
func (k *Task) Await(t testing.TB, what string, wanted func(*v1alpha1.TaskAccessRequest) bool) *v1alpha1.TaskAccessRequest {
	t.Helper()
	var request *v1alpha1.TaskAccessRequest
	Eventually(t, Patience, k.Name+": "+what, func() (bool, string) {
		request = k.Get(t)
		reason, message := State(request)
		return wanted(request), reason + ": " + message
	})
	return request
}

// Condition is the status of one of a request's conditions.
func Condition(r *v1alpha1.TaskAccessRequest, name string) metav1.ConditionStatus {
	for _, condition := range r.Status.Conditions {
		if condition.Type == name {
			return condition.Status
		}
	}
	return metav1.ConditionUnknown
}

// AwaitProxy waits until the task's proxy listens.
func (k *Task) AwaitProxy(t testing.TB) *v1alpha1.TaskAccessRequest {
	t.Helper()
	return k.Await(t, "the proxy listens", func(r *v1alpha1.TaskAccessRequest) bool {
		return Condition(r, v1alpha1.ConditionProxyReady) == metav1.ConditionTrue && r.Status.Endpoint != nil
	})
}

// Approve is a reviewer's yes, by kubectl approve.
func (k *Task) Approve(t testing.TB, reviewer *User) {
	t.Helper()
	k.Await(t, "a review", func(r *v1alpha1.TaskAccessRequest) bool { return r.Status.Review != "" })
	reviewer.Kubectl(t, "approve", k.Name, "-n", k.Domain.Namespace, "-m", "looks right")
}

// Granted asks for a task, has alice approve it, and waits until it is active.
func (d *Domain) Granted(t testing.TB, who *User, name, kind string, flags ...string) *Task {
	t.Helper()
	k := d.Ask(t, who, name, kind, flags...)
	k.Approve(t, d.Alice)
	if kind == TypeFix {
		k.Approve(t, d.Carol)
	}
	k.AwaitState(t, v1alpha1.ReasonActive)
	return k
}

// Role is the task's role on the target.
func (k *Task) Role(t testing.TB) string {
	t.Helper()
	credential := k.Get(t).Status.Credential
	if credential == nil {
		t.Fatalf("%s has no credential", k.Name)
	}
	return credential.Name
}

// Close closes the task as alice, and waits for nothing.
func (k *Task) Close(t testing.TB) {
	t.Helper()
	k.Domain.Alice.Kubectl(t, "access", "close", k.Name, "-n", k.Domain.Namespace)
}

// AwaitGone waits for the end of a task, which is proved, and checks that the target
// and the cluster have nothing left of it.
func (k *Task) AwaitGone(t testing.TB, state string) *v1alpha1.TaskAccessRequest {
	t.Helper()
	request := k.Await(t, "its end", func(r *v1alpha1.TaskAccessRequest) bool { return r.Status.ClosedAt != nil })
	reason, message := State(request)
	if reason != state {
		t.Errorf("%s: ended as %s, not %s: %s", k.Name, reason, state, message)
	}
	if request.Status.Teardown == nil || !request.Status.Teardown.Proved {
		t.Errorf("%s: ended without proof: %+v", k.Name, request.Status.Teardown)
	}
	if left := k.Domain.LeftOf(t, k.UID); len(left) > 0 {
		t.Errorf("%s: left in the cluster: %s", k.Name, strings.Join(left, ", "))
	}
	if c := request.Status.Credential; c != nil && k.Domain.Postgres.HasRole(t, c.Name) {
		t.Errorf("%s: role %s is left on the target", k.Name, c.Name)
	}
	return request
}

// Verify runs kubectl access verify as alice.
func (k *Task) Verify(t testing.TB) Result {
	t.Helper()
	return k.Domain.Alice.Try(t, "access", "verify", k.Name, "-n", k.Domain.Namespace)
}

// Replay is what kubectl access replay prints for alice.
func (k *Task) Replay(t testing.TB) string {
	t.Helper()
	return k.Domain.Alice.Kubectl(t, "access", "replay", k.Name, "-n", k.Domain.Namespace)
}

// Within checks that something took no longer than this.
func Within(t testing.TB, what string, took, limit time.Duration) {
	t.Helper()
	t.Logf("%s: %v", what, took.Round(time.Millisecond))
	if took > limit {
		t.Errorf("%s took %v, more than %v", what, took, limit)
	}
}

// AwaitDeleted waits until a task's request is no longer there.
func (d *Domain) AwaitDeleted(t testing.TB, k *Task) {
	t.Helper()
	Eventually(t, Patience, "the end of request "+k.Name, func() (bool, string) {
		request := &v1alpha1.TaskAccessRequest{ObjectMeta: d.meta(k.Name)}
		err := d.Admin.Get(t.Context(), client.ObjectKeyFromObject(request), request)
		if client.IgnoreNotFound(err) != nil {
			t.Fatal(err)
		}
		reason, message := State(request)
		return err != nil, reason + ": " + message
	})
}
