package harness

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Client is this person without the start of a program, for measurements.
func (u *User) Client(t testing.TB) client.WithWatch {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", u.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// AskBy is Ask by a client that runs already; it returns when the request was sent.
func (d *Domain) AskBy(t testing.TB, c client.Client, who *User, name, kind string) (*Task, time.Time) {
	t.Helper()
	request := &v1alpha1.TaskAccessRequest{}
	if err := yaml.Unmarshal([]byte(d.Written(t, who, name, kind)), request); err != nil {
		t.Fatal(err)
	}
	sent := time.Now()
	if err := c.Create(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	return &Task{Domain: d, Requester: who, Name: name, UID: string(request.UID)}, sent
}

// ApproveBy adds a reviewer's yes; it returns when that was sent.
func (k *Task) ApproveBy(t testing.TB, c client.Client, reviewer string, groups ...string) time.Time {
	t.Helper()
	decision := v1alpha1.Decision{Reviewer: reviewer, Groups: append(groups, "system:authenticated"), Verdict: v1alpha1.VerdictApprove}
	patch, err := json.Marshal([]map[string]any{{"op": "add", "path": "/spec/decisions/-", "value": decision}})
	if err != nil {
		t.Fatal(err)
	}
	review := k.Review(t)
	sent := time.Now()
	if err := c.Patch(t.Context(), review, client.RawPatch(types.JSONPatchType, patch)); err != nil {
		t.Fatal(err)
	}
	return sent
}

// CloseBy closes the task; it returns when that was sent.
func (k *Task) CloseBy(t testing.TB, c client.Client) time.Time {
	t.Helper()
	request := k.Get(t)
	sent := time.Now()
	if err := c.Patch(t.Context(), request, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"state":"Closed"}}`))); err != nil {
		t.Fatal(err)
	}
	return sent
}

// Seen returns when a watch showed the request as wanted.
func (k *Task) Seen(t testing.TB, c client.WithWatch, what string, wanted func(*v1alpha1.TaskAccessRequest) bool) time.Time {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	watch, err := c.Watch(ctx, &v1alpha1.TaskAccessRequestList{}, client.InNamespace(k.Domain.Namespace),
		client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("metadata.name", k.Name)})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	for event := range watch.ResultChan() {
		if request, ok := event.Object.(*v1alpha1.TaskAccessRequest); ok && wanted(request) {
			return time.Now()
		}
	}
	t.Fatalf("%s: not seen after %v: %s", k.Name, Patience, what)
	return time.Time{}
}
