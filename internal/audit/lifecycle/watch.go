package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/audit"
	"github.com/sallyport/sallyport/internal/ledger"
)

// Watcher turns what happens to our kinds, and in the ledger of recordings, into events,
// on the leader. A new leader
// tells the facts of everything that is not long over once more, with the same
// identities: what the one before it took to its grave is told, the rest known.
type Watcher struct {
	Informers cache.Informers
	// Tell takes the events; it may wait a little, so that a new leader's many find room.
	Tell func(events ...audit.Event)
	Now  func() time.Time
	// Replay is how long after its end an object is told of by a new leader.
	Replay time.Duration
}

// NeedLeaderElection says that only the leader tells the life-cycle.
func (*Watcher) NeedLeaderElection() bool { return true }

// Start watches until ctx ends.
func (w *Watcher) Start(ctx context.Context) error {
	requests := handler(w, func(old, now *v1alpha1.TaskAccessRequest) { w.Tell(Request(old, now, w.Now())...) })
	requests.DeleteFunc = w.requestGone
	stops := make([]func() error, 0, 4)
	for _, watch := range []struct {
		kind    client.Object
		handler toolscache.ResourceEventHandler
	}{
		{&v1alpha1.TaskAccessRequest{}, requests},
		{&v1alpha1.ApprovalReview{}, handler(w, func(old, now *v1alpha1.ApprovalReview) { w.Tell(Review(old, now)...) })},
		{&v1alpha1.AccessPolicy{}, handler(w, func(old, now *v1alpha1.AccessPolicy) { w.Tell(Policy(old, now, w.Now())...) })},
		{&corev1.ConfigMap{}, handler(w, w.entry)},
	} {
		informer, err := w.Informers.GetInformer(ctx, watch.kind)
		if err != nil {
			return fmt.Errorf("watch for the audit stream: %w", err)
		}
		registration, err := informer.AddEventHandler(watch.handler)
		if err != nil {
			return fmt.Errorf("watch for the audit stream: %w", err)
		}
		stops = append(stops, func() error { return informer.RemoveEventHandler(registration) })
	}
	<-ctx.Done()
	var errs []error
	for _, stop := range stops {
		errs = append(errs, stop())
	}
	return errors.Join(errs...)
}

// handler tells of one kind. The informer's own resyncs change nothing, and so tell
// nothing.
func handler[T client.Object](w *Watcher, tell func(old, now T)) toolscache.ResourceEventHandlerDetailedFuncs {
	var none T
	return toolscache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(object any, isInInitialList bool) {
			now, ok := object.(T)
			if !ok {
				return
			}
			if since, ended := over(now); ended && isInInitialList && w.Now().Sub(since) > w.Replay {
				return
			}
			tell(none, now)
		},
		UpdateFunc: func(before, after any) {
			old, wasOne := before.(T)
			now, isOne := after.(T)
			if !wasOne || !isOne || old.GetResourceVersion() == now.GetResourceVersion() {
				return
			}
			if old.GetUID() != now.GetUID() {
				old = none
			}
			tell(old, now)
		},
	}
}

func (w *Watcher) requestGone(object any) {
	if unknown, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	if last, ok := object.(*v1alpha1.TaskAccessRequest); ok {
		w.Tell(Gone(last, w.Now()))
	}
}

// entry tells of a ledger's entry; an owner who broke one is told so by the controller
// of retention.
func (w *Watcher) entry(old, now *corev1.ConfigMap) {
	if now.Labels[v1alpha1.LabelComponent] != ledger.Component {
		return
	}
	entry, err := ledger.Parse(now)
	if err != nil {
		return
	}
	var before *ledger.Entry
	if old != nil {
		if parsed, err := ledger.Parse(old); err == nil {
			before = &parsed
		}
	}
	if before == nil && !entry.RemovedAt.IsZero() && w.Now().Sub(entry.RemovedAt) > w.Replay {
		return
	}
	w.Tell(Ledger(before, &entry, now.ResourceVersion, w.Now())...)
}
