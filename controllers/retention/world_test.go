package retention

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
	"github.com/sallyport/sallyport/internal/ledger"
	"github.com/sallyport/sallyport/internal/manifest"
	"github.com/sallyport/sallyport/internal/record/store/bucket"
	"github.com/sallyport/sallyport/internal/stores"
)

// archive is one bucket: what was removed from it, and what it was told to hold.
type archive struct {
	mu      sync.Mutex
	lock    stores.LockMode
	failure error
	removed []string
	holds   []bool
}

func (a *archive) Find(_ context.Context, name string) (*stores.Bucket, error) {
	if name != "archive" {
		return nil, &stores.UnknownError{Name: name}
	}
	return &stores.Bucket{Name: name, Lock: a.lock}, nil
}

func (a *archive) Task(_ context.Context, _ *stores.Bucket, uid string) (Task, error) {
	return archived{a, uid}, nil
}

type archived struct {
	*archive
	uid string
}

func (a archived) Remove(context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failure == nil {
		a.removed = append(a.removed, a.uid)
	}
	return a.failure
}

func (a archived) Protect(_ context.Context, retention bucket.Retention) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failure == nil {
		a.holds = append(a.holds, retention.LegalHold)
	}
	return a.failure
}

var errDown = errors.New("the bucket does not answer")

// world is one request that has been, its entry, and a reconciler.
type world struct {
	t       *testing.T
	admin   client.Client
	archive *archive
	events  *events.FakeRecorder
	now     time.Time
	request *v1alpha1.TaskAccessRequest
	r       *Reconciler
}

func newWorld(t *testing.T, change func(*ledger.Entry)) *world {
	t.Helper()
	server := apitest.Start(t)
	w := &world{
		t: t, admin: server.Client, archive: &archive{lock: stores.LockGovernance}, events: events.NewFakeRecorder(100),
		now: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC),
	}
	proxies := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ProxyNamespace}}
	w.must(client.IgnoreAlreadyExists(w.admin.Create(t.Context(), proxies)))
	w.request = &v1alpha1.TaskAccessRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: server.Namespace(t.Context(), t), Name: "pay-1423"},
		Spec: v1alpha1.TaskAccessRequestSpec{
			Requester: v1alpha1.Requester{Username: "bob"}, Task: v1alpha1.Task{ID: "PAY-1423", Type: "data-fix"},
			Target: "orders", Reason: "wrong totals", DurationSeconds: 600, State: v1alpha1.StateOpen,
		},
	}
	w.must(w.admin.Create(t.Context(), w.request))
	entry := ledger.Entry{
		UID: string(w.request.UID), Namespace: w.request.Namespace, Request: w.request.Name, Requester: "bob",
		Policy: "orders-fix", Store: v1alpha1.StoreVolume, RetentionDays: 30, OpenedAt: w.now,
	}
	entry.Close(w.now.Add(time.Hour))
	change(&entry)
	w.must(w.admin.Create(t.Context(), entry.ConfigMap()))
	w.r = &Reconciler{
		Client: w.admin, Live: w.admin, Buckets: w.archive, Events: w.events, Now: func() time.Time { return w.now }, Log: testr.New(t),
		Settings: manifest.Settings{Image: "sallyport.local/proxy:dev", Claim: "sallyport-recordings"},
	}
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) key() client.ObjectKey {
	return client.ObjectKey{Namespace: v1alpha1.ProxyNamespace, Name: ledger.Name(string(w.request.UID))}
}

// pass reconciles once, and says when it wants to be called again.
func (w *world) pass() time.Duration {
	w.t.Helper()
	result, err := w.r.Reconcile(w.t.Context(), ctrl.Request{NamespacedName: w.key()})
	w.must(err)
	return result.RequeueAfter
}

func (w *world) later(d time.Duration) {
	w.t.Helper()
	w.now = w.now.Add(d)
	w.pass()
}

func (w *world) config() *corev1.ConfigMap {
	w.t.Helper()
	config := &corev1.ConfigMap{}
	err := w.admin.Get(w.t.Context(), w.key(), config)
	w.must(client.IgnoreNotFound(err))
	if err != nil {
		return nil
	}
	return config
}

func (w *world) entry() ledger.Entry {
	w.t.Helper()
	entry, err := ledger.Parse(w.config())
	w.must(err)
	return entry
}

// edit changes the entry as an owner would.
func (w *world) edit(key, value string) {
	w.t.Helper()
	config := w.config()
	config.Data[key] = value
	w.must(w.admin.Update(w.t.Context(), config))
}

// annotate sets or, with nil, takes away the request's legal hold.
func (w *world) annotate(reason *string) {
	w.t.Helper()
	w.must(w.admin.Get(w.t.Context(), client.ObjectKeyFromObject(w.request), w.request))
	w.request.Annotations = map[string]string{}
	if reason != nil {
		w.request.Annotations[v1alpha1.AnnotationLegalHold] = *reason
	}
	w.must(w.admin.Update(w.t.Context(), w.request))
}

// removal is the pod that removes, or nil.
func (w *world) removal() *corev1.Pod {
	w.t.Helper()
	pod := &corev1.Pod{}
	err := w.admin.Get(w.t.Context(), client.ObjectKey{Namespace: v1alpha1.ProxyNamespace, Name: manifest.RemovalName(string(w.request.UID))}, pod)
	w.must(client.IgnoreNotFound(err))
	if err != nil {
		return nil
	}
	return pod
}

// ends plays the kubelet.
func (w *world) ends(phase corev1.PodPhase, message string) {
	w.t.Helper()
	pod := w.removal()
	pod.Status.Phase = phase
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "removal", State: corev1.ContainerState{
		Terminated: &corev1.ContainerStateTerminated{Message: message},
	}}}
	w.must(w.admin.Status().Update(w.t.Context(), pod))
	w.pass()
}

// told says whether an event tells of words.
func (w *world) told(words ...string) {
	w.t.Helper()
	for {
		select {
		case event := <-w.events.Events:
			missing := ""
			for _, word := range words {
				if !strings.Contains(event, word) {
					missing = word
				}
			}
			if missing == "" {
				return
			}
		default:
			w.t.Fatalf("no event tells of %q", words)
		}
	}
}

const month = 31 * 24 * time.Hour
