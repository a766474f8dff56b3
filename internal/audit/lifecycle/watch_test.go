package lifecycle

import (
	"context"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
	"github.com/sallyport/sallyport/internal/audit"
	"github.com/sallyport/sallyport/internal/ledger"
)

func TestMain(m *testing.M) { os.Exit(apitest.Main(m)) }

// trail keeps what was emitted about one namespace.
type trail struct {
	namespace string
	mu        sync.Mutex
	events    []audit.Event
}

func (s *trail) Emit(events ...audit.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		if e.Subject.Namespace == s.namespace {
			s.events = append(s.events, e)
		}
	}
}

// told is the types that were told, and their identities, sorted: requests, reviews and
// ledger are watched apart.
func (s *trail) told() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []string{}
	for _, e := range s.events {
		out = append(out, string(e.Type)+" "+e.ID)
	}
	slices.Sort(out)
	return out
}

func (s *trail) types() []audit.Type {
	s.mu.Lock()
	defer s.mu.Unlock()
	return types(s.events)
}

// lead runs a leader's watcher until stop.
func lead(t *testing.T, s *apitest.Server, sink audit.Sink) (stop func()) {
	t.Helper()
	mgr, err := ctrl.NewManager(s.Config, ctrl.Options{Scheme: s.Scheme, Metrics: server.Options{BindAddress: "0"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := mgr.Add(&Watcher{Informers: mgr.GetCache(), Tell: sink.Emit, Now: time.Now, Replay: time.Hour}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("manager: %v", err)
		}
	})
}

func TestALeaderTellsWhatHappensAndTheNextOneTheSame(t *testing.T) {
	s := apitest.Start(t)
	ctx := context.Background()
	task := s.NewTask(ctx, t, time.Now())
	sink := &trail{namespace: task.Namespace}
	stop := lead(t, s, sink)
	defer stop()
	patch := func(object client.Object, change func()) {
		t.Helper()
		before := object.DeepCopyObject().(client.Object)
		change()
		if err := s.Client.Status().Patch(ctx, object, client.MergeFrom(before)); err != nil {
			t.Fatal(err)
		}
	}
	now := metav1.NewTime(time.Now().Truncate(time.Second))
	patch(task.Review, func() { task.Review.Status.Outcome, task.Review.Status.DecidedAt = v1alpha1.OutcomeApproved, &now })
	patch(task.Request, func() {
		task.Request.Status.GrantedAt, task.Request.Status.ExpiresAt = &now, new(metav1.NewTime(now.Add(30*time.Minute)))
	})
	patch(task.Request, func() {
		task.Request.Status.Ended = &v1alpha1.Ended{Reason: v1alpha1.ReasonClosed, Message: "the request was closed", At: now}
	})
	want := []audit.Type{
		audit.RequestCreated, audit.ReviewOpened, audit.ReviewApproved, audit.GrantIssued, audit.RequestEnded, audit.GrantRevoked,
	}
	eventually := gomega.NewWithT(t)
	eventually.Eventually(sink.types, 10*time.Second).Should(gomega.ConsistOf(want))
	stop()

	next := &trail{namespace: task.Namespace}
	stop = lead(t, s, next)
	defer stop()
	eventually.Eventually(next.types, 10*time.Second).Should(gomega.HaveLen(len(want)))
	if diff := cmp.Diff(sink.told(), next.told()); diff != "" {
		t.Errorf("(-old leader +new leader):\n%s", diff)
	}
	if err := s.Client.Delete(ctx, task.Request); err != nil {
		t.Fatal(err)
	}
	eventually.Eventually(next.types, 10*time.Second).Should(gomega.ContainElement(audit.RequestDeleted))
}

func TestANewLeaderIsSilentAboutWhatIsLongOver(t *testing.T) {
	s := apitest.Start(t)
	ctx := context.Background()
	task := s.NewTask(ctx, t, time.Now())
	before := task.Request.DeepCopy()
	long := metav1.NewTime(time.Now().Add(-2 * time.Hour))
	task.Request.Status.ClosedAt = &long
	if err := s.Client.Status().Patch(ctx, task.Request, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	sink := &trail{namespace: task.Namespace}
	stop := lead(t, s, sink)
	defer stop()
	eventually := gomega.NewWithT(t)
	eventually.Eventually(sink.types, 10*time.Second).Should(gomega.ContainElement(audit.ReviewOpened))
	// Its end comes by the same way as its beginning would have, later.
	if err := s.Client.Delete(ctx, task.Request); err != nil {
		t.Fatal(err)
	}
	eventually.Eventually(sink.types, 10*time.Second).Should(gomega.ContainElement(audit.RequestDeleted))
	if told := sink.types(); slices.Contains(told, audit.RequestCreated) {
		t.Errorf("told %v", told)
	}
}

func TestALedgersEntryTellsWhenRecordingsAreRemoved(t *testing.T) {
	s := apitest.Start(t)
	ctx := context.Background()
	entry := ledger.Entry{UID: "uid-of-ledger-test", Namespace: "ledger-test", Request: "pay-1423", Store: "volume", RetentionDays: 30, OpenedAt: time.Now()}
	config := entry.ConfigMap()
	config.Namespace = s.Namespace(ctx, t)
	if err := s.Client.Create(ctx, config); err != nil {
		t.Fatal(err)
	}
	sink := &trail{namespace: "ledger-test"}
	stop := lead(t, s, sink)
	defer stop()
	entry.RemovedAt, entry.Message = time.Now(), "3 objects removed"
	entry.Write(config)
	if err := s.Client.Update(ctx, config); err != nil {
		t.Fatal(err)
	}
	gomega.NewWithT(t).Eventually(sink.types, 10*time.Second).Should(gomega.Equal([]audit.Type{audit.RecordingRemoved}))
}
