package taskaccessrequest

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/lookup"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/control/server"
	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/manifest"
	"github.com/sallyport/sallyport/internal/record"
)

// provide makes a provider that reads past the cache always, with an index for UIDs
// as the manager's cache has it.
func (w *world) provide() *Provider {
	w.t.Helper()
	return &Provider{
		Client: uidClient{Client: w.admin, w: w}, Uncached: w.admin, Targets: resolved{}, Stores: w.stores, Presign: w.stores, RecordingKey: recordingKey, Now: w.r.Now,
		Issuers: maps.Clone(w.issuers), HostKeys: rootKeys(w.t),
	}
}

func (w *world) phase(p *Provider) grant.State {
	w.t.Helper()
	state, err := p.State(w.t.Context(), string(w.request.UID))
	w.must(err)
	return state
}

func TestAProxyIsToldWhatItWaitsForThenItsGrantThenTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settle()
	p := w.provide()
	state := w.phase(p)
	if state.Phase != grant.Waiting || state.Grant != nil || state.Wait == "" {
		t.Fatalf("while awaiting review: %s %q", state.Phase, state.Wait)
	}
	w.decide(v1alpha1.OutcomeApproved)
	if state = w.phase(p); state.Phase != grant.Waiting {
		t.Fatalf("approved, and nothing issued yet: %s", state.Phase)
	}
	w.settle()
	state = w.phase(p)
	if state.Phase != grant.Granted || state.Grant.Postgres.Password.Reveal() != "derived" || state.Grant.Policy.Grant.Postgres.Database != "orders" {
		t.Fatalf("while active: %s", state.Phase)
	}
	w.closeRequest()
	if state = w.phase(p); state.Phase != grant.Ended || state.Grant != nil {
		t.Fatalf("closed, before the leader has seen it: %s", state.Phase)
	}
}

func TestAnOutageOfResolverOrSecretEndsNoGrantedSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	p := w.provide()
	p.Targets = unresolved{}
	state := w.phase(p)
	if state.Phase != grant.Granted || !slices.Equal(state.Grant.Postgres.Addresses, w.target.Status.Addresses) {
		t.Fatalf("without a resolver: %s", state.Phase)
	}
}

type unresolved struct{}

func (unresolved) Consent(context.Context, *v1alpha1.AccessTarget) (credential.Target, error) {
	return credential.Target{}, errDown
}

func TestREV2_NoReplicaHandsOutAGrantWhoseBasisChanged(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*world){
		"policy edited": func(w *world) {
			w.policy.Spec.Session.MaxConcurrent = 9
			w.must(w.admin.Update(w.t.Context(), w.policy))
		},
		"policy made anew under its name": func(w *world) {
			anew := w.policy.DeepCopy()
			w.must(w.admin.Delete(w.t.Context(), w.policy))
			anew.ResourceVersion, anew.UID = "", ""
			w.must(w.admin.Create(w.t.Context(), anew))
		},
		"target gone": func(w *world) { w.must(w.admin.Delete(w.t.Context(), w.target)) },
		"review gone": func(w *world) {
			review := &v1alpha1.ApprovalReview{}
			w.must(w.admin.Get(w.t.Context(), client.ObjectKey{Namespace: w.request.Namespace, Name: w.request.Status.Review}, review))
			w.must(w.admin.Delete(w.t.Context(), review))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.approve()
			p := w.provide()
			if state := w.phase(p); state.Phase != grant.Granted {
				t.Fatalf("before: %s", state.Phase)
			}
			change(w)
			if state := w.phase(p); state.Phase != grant.Ended || state.Reason == "" {
				t.Fatalf("after: %s", state.Phase)
			}
		})
	}
}

func TestOnlyTheTasksOwnLivingPodSpeaksForIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settle()
	p := w.provide()
	uid := string(w.request.UID)
	pod := &corev1.Pod{}
	w.must(w.admin.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.ProxyNamespace, Name: manifest.Name(uid)}, pod))
	own := server.Pod{Name: pod.Name, UID: string(pod.UID), ServiceAccount: pod.Spec.ServiceAccountName}
	if got, err := p.Resolve(t.Context(), own); err != nil || got != uid {
		t.Fatalf("own pod: %q %v", got, err)
	}
	for name, other := range map[string]server.Pod{
		"another pod's UID":       {Name: own.Name, UID: "another", ServiceAccount: own.ServiceAccount},
		"another service account": {Name: own.Name, UID: own.UID, ServiceAccount: "default"},
		"a pod that is gone":      {Name: "tar-gone", UID: own.UID, ServiceAccount: own.ServiceAccount},
	} {
		if got, err := p.Resolve(t.Context(), other); err == nil {
			t.Errorf("%s speaks for %s", name, got)
		}
	}
}

func TestReportsOnlyEverMoveOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settle()
	p := w.provide()
	report := func(active, total int32, sequence int64) {
		w.must(p.Report(t.Context(), string(w.request.UID), control.Report{
			Active: active, Total: total, Isolated: true, Isolation: "refused",
			Heads: []record.Head{{Session: "one", Sequence: sequence, Hash: "aa"}},
		}))
		w.reload()
	}
	report(1, 3, 40)
	report(0, 1, 7)
	status := w.request.Status
	if status.Sessions.Total != 3 || status.Sessions.Active != 0 || status.Recording.Head[0].Sequence != 40 {
		t.Fatalf("sessions %+v, head %+v", status.Sessions, status.Recording.Head)
	}
	w.decide(v1alpha1.OutcomeApproved)
	w.settle()
	if w.request.Status.Sessions == nil || w.request.Status.Recording == nil {
		t.Fatal("the reconciler took the reporter's fields")
	}
}

func TestAProxyThatHasNotLookedYetIsNotSaidToBeUnisolated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settle()
	p := w.provide()
	report := func(isolation string, isolated bool) *metav1.Condition {
		w.must(p.Report(t.Context(), string(w.request.UID), control.Report{Ready: true, Isolated: isolated, Isolation: isolation}))
		w.reload()
		return meta.FindStatusCondition(w.request.Status.Conditions, v1alpha1.ConditionIsolated)
	}
	if condition := report("", false); condition != nil {
		t.Errorf("before it looked: %+v", condition)
	}
	if condition := report("refused", true); condition == nil || condition.Status != metav1.ConditionTrue {
		t.Errorf("after it looked: %+v", condition)
	}
}

func TestAChangeWakesTheStreamsThatItConcerns(t *testing.T) {
	t.Parallel()
	var n notifier
	mine, cancelMine := n.Subscribe("mine")
	other, cancelOther := n.Subscribe("other")
	defer cancelOther()
	n.wake("mine")
	n.wake("mine")
	select {
	case <-mine:
	case <-time.After(time.Second):
		t.Fatal("not woken")
	}
	select {
	case <-mine:
		t.Fatal("signals do not coalesce")
	case <-other:
		t.Fatal("another's stream was woken")
	default:
	}
	cancelMine()
	n.wake("")
	select {
	case <-other:
	case <-time.After(time.Second):
		t.Fatal("a change that concerns all woke not all")
	}
	if len(n.subscribers) != 1 {
		t.Fatalf("%d subscribers left", len(n.subscribers))
	}
}

// uidClient answers the index of UIDs, which only a cache has.
type uidClient struct {
	client.Client
	w *world
}

func (c uidClient) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if requests, ok := list.(*v1alpha1.TaskAccessRequestList); ok {
		found, err := lookup.Find[v1alpha1.TaskAccessRequest](ctx, c.w.admin, c.w.request.Namespace, c.w.request.Name)
		if found != nil {
			requests.Items = []v1alpha1.TaskAccessRequest{*found}
		}
		return err
	}
	return c.Client.List(ctx, list, options...)
}
