package sweep

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
)

func TestLIFE4_WhatNoOpenRequestStandsForIsRemoved(t *testing.T) {
	w := newWorld(t)
	open, closed, gone := w.open("open"), w.closed("closed"), w.gone("gone")
	for _, request := range []*v1alpha1.TaskAccessRequest{open, closed, gone} {
		w.deploy(request)
	}
	w.must(w.sweeper.Sweep(t.Context()))
	for _, test := range []struct {
		request *v1alpha1.TaskAccessRequest
		want    int
	}{{open, 6}, {closed, 0}, {gone, 0}} {
		if got := w.standing(test.request); got != test.want {
			t.Errorf("of request %s %d objects are left, want %d", test.request.Name, got, test.want)
		}
	}
}

func TestWhatIsOfNoTaskIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	gone := w.gone("gone")
	unlabelled := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.ProxyNamespace, GenerateName: "reader-"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 443}}},
	}
	// Whoever copies our label elsewhere does not make it ours to remove.
	elsewhere := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
		Namespace: w.namespace, Name: "app", Labels: map[string]string{v1alpha1.LabelRequestUID: string(gone.UID)},
	}}
	for _, object := range []client.Object{unlabelled, elsewhere} {
		w.must(w.admin.Create(t.Context(), object))
	}
	w.must(w.sweeper.Sweep(t.Context()))
	for _, object := range []client.Object{unlabelled, elsewhere} {
		if err := w.admin.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			t.Errorf("%T %s: %v", object, object.GetName(), err)
		}
	}
}

func TestLIFE4_ACredentialOfNoOpenRequestIsRevoked(t *testing.T) {
	w := newWorld(t)
	w.target("orders")
	open, closed := w.open("open"), w.closed("closed")
	w.bank.hold("orders", string(open.UID), string(closed.UID), "00000000-0000-4000-8000-000000000000")
	w.must(w.sweeper.Sweep(t.Context()))
	if diff := cmp.Diff([]string{string(open.UID)}, w.bank.held("orders")); diff != "" {
		t.Errorf("credentials left (-want +got):\n%s", diff)
	}
}

func TestATargetThatIsDownKeepsNoOtherFromBeingSwept(t *testing.T) {
	for name, listing := range map[string]func(context.Context) error{
		"it refuses": func(context.Context) error { return errDown },
		"it hangs": func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.sweeper.Timeout = 200 * time.Millisecond
			for _, target := range []string{"broken", "first", "second"} {
				w.target(target)
				w.bank.hold(target, "orphan")
			}
			w.bank.listing = func(ctx context.Context, target string) error {
				if target == "broken" {
					return listing(ctx)
				}
				return nil
			}
			gone := w.gone("gone")
			w.deploy(gone)

			err := w.sweeper.Sweep(t.Context())
			if err == nil || !strings.Contains(err.Error(), w.namespace+"/broken") {
				t.Errorf("error %v does not name the target", err)
			}
			if left := len(w.bank.held("first")) + len(w.bank.held("second")) + w.standing(gone); left != 0 {
				t.Errorf("%d orphans are left", left)
			}
			w.bank.listing = nil
			w.must(w.sweeper.Sweep(t.Context()))
			if left := w.bank.held("broken"); len(left) != 0 {
				t.Errorf("the target is back, and still holds %v", left)
			}
		})
	}
}

// A task that begins while the sweeper looks around is not an orphan.
func TestARequestMadeBetweenTheListingsIsNotHarmed(t *testing.T) {
	w := newWorld(t)
	w.target("orders")
	var late *v1alpha1.TaskAccessRequest
	w.bank.listing = func(context.Context, string) error {
		if late == nil {
			late = w.open("late-credential")
			w.bank.hold("orders", string(late.UID))
		}
		return nil
	}
	var deployed *v1alpha1.TaskAccessRequest
	w.sweeper.Client = w.intercept(interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if deployed == nil {
				deployed = w.open("late-objects")
				w.deploy(deployed)
			}
			return c.List(ctx, list, opts...)
		},
	})
	w.must(w.sweeper.Sweep(t.Context()))
	if held := w.bank.held("orders"); len(held) != 1 || w.standing(deployed) != 6 {
		t.Errorf("of tasks just begun, %d credentials and %d objects are left, want 1 and 6", len(held), w.standing(deployed))
	}
}

// onePage answers with one request a page, as the API server does with many.
type onePage struct{ client.Reader }

func (r onePage) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	return r.Reader.List(ctx, list, append(opts, client.Limit(1))...)
}

// What one page of requests says must not colour the next: an open request that comes
// after a closed one is still open.
func TestEveryPageOfRequestsIsReadAndReadAfresh(t *testing.T) {
	w := newWorld(t)
	w.sweeper.Uncached = onePage{w.admin}
	w.target("orders")
	first, closed, last := w.open("a-open"), w.closed("b-closed"), w.open("c-open")
	w.bank.hold("orders", string(first.UID), string(closed.UID), string(last.UID))

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	w.must(w.sweeper.Sweep(ctx))
	want := map[string]bool{string(first.UID): true, string(last.UID): true}
	got := map[string]bool{}
	for _, uid := range w.bank.held("orders") {
		got[uid] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("credentials left (-want +got):\n%s", diff)
	}
}

// Without the list of requests everything would look like an orphan.
func TestNothingIsRemovedWhileRequestsCannotBeListed(t *testing.T) {
	errAPI := errors.New("the API server does not answer")
	w := newWorld(t)
	w.target("orders")
	w.bank.hold("orders", "orphan")
	gone := w.gone("gone")
	w.deploy(gone)
	w.sweeper.Uncached = w.intercept(interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return errAPI },
	})
	if err := w.sweeper.Sweep(t.Context()); !errors.Is(err, errAPI) {
		t.Errorf("error %v, want %v", err, errAPI)
	}
	if len(w.bank.held("orders")) != 1 || w.standing(gone) != 6 {
		t.Error("something was removed")
	}
}

func TestTheLeaderSweepsAtOnceAndThenAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started, sweeps := time.Now(), []time.Duration{}
		nobody := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
			List: func(_ context.Context, _ client.WithWatch, list client.ObjectList, _ ...client.ListOption) error {
				if _, ok := list.(*corev1.PodList); ok {
					sweeps = append(sweeps, time.Since(started))
				}
				return errDown
			},
		}).Build()
		sweeper := &Sweeper{Client: nobody, Uncached: nobody, Interval: time.Minute, Timeout: time.Second}
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
		defer cancel()
		if err := sweeper.Start(ctx); err != nil || !sweeper.NeedLeaderElection() {
			t.Errorf("ended with %v, on the leader alone %t", err, sweeper.NeedLeaderElection())
		}
		if diff := cmp.Diff([]time.Duration{0, time.Minute, 2 * time.Minute}, sweeps); diff != "" {
			t.Errorf("sweeps (-want +got):\n%s", diff)
		}
	})
}

// intercept is the administrator's client with calls of the test's own.
func (w *world) intercept(calls interceptor.Funcs) client.Client {
	w.t.Helper()
	server := apitest.Start(w.t)
	inner, err := client.NewWithWatch(server.Config, client.Options{Scheme: server.Scheme})
	w.must(err)
	return interceptor.NewClient(inner, calls)
}
