// Package retention keeps the ledger of recordings: it carries legal holds into it,
// removes recordings when their time is over, and says what it removed. A hold always
// wins, and what cannot be read keeps its recordings.
package retention

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/ledger"
	"github.com/sallyport/sallyport/internal/manifest"
)

// Reconciler works on the entries of the ledger. Only the leader runs it.
type Reconciler struct {
	client.Client
	// Live reads past the cache: nothing is removed on what the cache alone says.
	Live     client.Reader
	Buckets  Buckets
	Settings manifest.Settings
	Events   events.EventRecorder
	Now      func() time.Time
	Log      logr.Logger
}

const (
	// lookAgain is how soon an entry is looked at again that nothing will tell of.
	lookAgain = time.Hour
	// remembered is how long an entry outlives its recordings.
	remembered = 30 * 24 * time.Hour
	// workers bounds the removals from buckets at once.
	workers = 2
)

// SetupWithManager watches the ledger, the pods that remove, and who sets holds.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	err := ctrl.NewControllerManagedBy(mgr).
		Named("retention").
		For(&corev1.ConfigMap{}, builder.WithPredicates(predicate.NewPredicateFuncs(isEntry))).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(entryOfPod)).
		Watches(&v1alpha1.TaskAccessRequest{}, handler.EnqueueRequestsFromMapFunc(entryOfRequest),
			builder.WithPredicates(predicate.AnnotationChangedPredicate{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(r)
	if err != nil {
		return fmt.Errorf("set up retention: %w", err)
	}
	return nil
}

func isEntry(object client.Object) bool {
	return object.GetNamespace() == v1alpha1.ProxyNamespace && object.GetLabels()[v1alpha1.LabelComponent] == ledger.Component
}

func entryOfPod(_ context.Context, pod client.Object) []ctrl.Request {
	uid, ok := strings.CutPrefix(pod.GetName(), manifest.RemovalName(""))
	if !ok || pod.GetLabels()[v1alpha1.LabelComponent] != manifest.RemovalComponent {
		return nil
	}
	return entryOf(uid)
}

func entryOfRequest(_ context.Context, request client.Object) []ctrl.Request {
	return entryOf(string(request.GetUID()))
}

func entryOf(uid string) []ctrl.Request {
	return []ctrl.Request{{NamespacedName: types.NamespacedName{Namespace: v1alpha1.ProxyNamespace, Name: ledger.Name(uid)}}}
}

// Reconcile makes one pass over one entry.
func (r *Reconciler) Reconcile(ctx context.Context, key ctrl.Request) (ctrl.Result, error) {
	config := &corev1.ConfigMap{}
	if err := r.Get(ctx, key.NamespacedName, config); err != nil || !isEntry(config) {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	after, err := r.pass(ctx, config)
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: 20 * time.Millisecond}, nil
	}
	return ctrl.Result{RequeueAfter: min(after, 24*time.Hour)}, client.IgnoreNotFound(err)
}

func (r *Reconciler) pass(ctx context.Context, config *corev1.ConfigMap) (time.Duration, error) {
	entry, err := ledger.Parse(config)
	if err != nil {
		r.warn(config, "Unreadable", "its recordings are kept: "+err.Error())
		return lookAgain, nil
	}
	if !entry.RemovedAt.IsZero() {
		return r.forget(ctx, config, entry)
	}
	followed := entry
	if err := r.follow(ctx, &followed); err != nil {
		return 0, err
	}
	if followed != entry {
		// Before a bucket is told, which may not answer: a hold must not wait for it.
		if err := r.write(ctx, config, followed); err != nil {
			return 0, err
		}
		r.tellOfHolds(config, entry, followed)
	}
	if err := r.lock(ctx, config, &followed); err != nil {
		return 0, err
	}
	switch now := r.Now(); {
	case followed.Held() != "":
		return lookAgain, r.stopRemoval(ctx, followed)
	case followed.ClosedAt.IsZero():
		return lookAgain, nil
	case followed.KeepUntil.IsZero():
		return 0, nil
	case now.Before(followed.KeepUntil):
		return followed.KeepUntil.Sub(now), nil
	}
	return r.expire(ctx, config)
}

// forget takes away an entry whose recordings have been gone for long.
func (r *Reconciler) forget(ctx context.Context, config *corev1.ConfigMap, entry ledger.Entry) (time.Duration, error) {
	if left := entry.RemovedAt.Add(remembered).Sub(r.Now()); left > 0 {
		return left, nil
	}
	return 0, r.Delete(ctx, config, client.Preconditions{ResourceVersion: &config.ResourceVersion})
}

func (r *Reconciler) write(ctx context.Context, config *corev1.ConfigMap, entry ledger.Entry) error {
	wanted := config.DeepCopy()
	entry.Write(wanted)
	if err := r.Update(ctx, wanted); err != nil {
		return fmt.Errorf("write the ledger's entry %s: %w", config.Name, err)
	}
	*config = *wanted
	return nil
}

func (r *Reconciler) warn(config *corev1.ConfigMap, reason, message string) {
	r.Events.Eventf(config, nil, corev1.EventTypeWarning, reason, "Retain", "%s", message)
}

func (r *Reconciler) say(config *corev1.ConfigMap, reason, message string) {
	r.Events.Eventf(config, nil, corev1.EventTypeNormal, reason, "Retain", "%s", message)
}
