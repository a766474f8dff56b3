package retention

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/lookup"
	"github.com/sallyport/sallyport/controllers/wording"
	"github.com/sallyport/sallyport/internal/ledger"
	"github.com/sallyport/sallyport/internal/manifest"
	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/stores"
)

const (
	// removalTimeout bounds one try at a bucket; what was removed stays removed.
	removalTimeout = 10 * time.Minute
	// tryAgain is how soon a removal that failed is tried again, heldAgain one that the
	// bucket's lock refused.
	tryAgain  = 10 * time.Minute
	heldAgain = 24 * time.Hour
	// maxRemovals bounds the pods that remove at once.
	maxRemovals = 4
)

// expire removes recordings whose time is over, unless by now somebody holds them: entry
// and request are read once more, past the cache.
func (r *Reconciler) expire(ctx context.Context, config *corev1.ConfigMap) (time.Duration, error) {
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(config), config); err != nil {
		return 0, err
	}
	entry, err := ledger.Parse(config)
	if err != nil || !entry.RemovedAt.IsZero() || entry.KeepUntil.IsZero() || r.Now().Before(entry.KeepUntil) {
		return time.Second, nil //nolint:nilerr // the next pass says what is wrong with it
	}
	request, err := find(ctx, r.Live, entry)
	if err != nil {
		return 0, err
	}
	if request != nil && holdOf(request) != "" || entry.Held() != "" {
		return time.Second, nil
	}
	if entry.Store == v1alpha1.StoreVolume {
		return r.onVolume(ctx, config, entry)
	}
	return r.inBucket(ctx, config, entry)
}

func (r *Reconciler) inBucket(ctx context.Context, config *corev1.ConfigMap, entry ledger.Entry) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, removalTimeout)
	defer cancel()
	err := r.removeFromBucket(ctx, entry)
	switch {
	case err == nil:
		return r.removed(ctx, config, entry, "removed from store "+entry.Store+": every version of every object")
	case errors.Is(err, store.ErrHeld):
		return r.failed(ctx, config, entry, "Locked", "the bucket's lock keeps some of them: "+err.Error(), heldAgain)
	}
	return r.failed(ctx, config, entry, "RemovalFailed", err.Error(), tryAgain)
}

func (r *Reconciler) removeFromBucket(ctx context.Context, entry ledger.Entry) error {
	found, err := r.Buckets.Find(ctx, entry.Store)
	if err != nil {
		return err
	}
	task, err := r.Buckets.Task(ctx, found, entry.UID)
	if err != nil {
		return err
	}
	return task.Remove(ctx)
}

// onVolume starts a pod that empties this one task's folder, and takes its word for it
// when it has ended: the manager mounts nothing.
func (r *Reconciler) onVolume(ctx context.Context, config *corev1.ConfigMap, entry ledger.Entry) (time.Duration, error) {
	pod, err := lookup.Find[corev1.Pod](ctx, r.Client, v1alpha1.ProxyNamespace, manifest.RemovalName(entry.UID))
	if err != nil {
		return 0, err
	}
	if pod == nil {
		return tryAgain, r.startRemoval(ctx, config, entry)
	}
	message := lastWords(pod)
	switch pod.Status.Phase {
	case corev1.PodSucceeded:
		after, err := r.removed(ctx, config, entry, "removed from the volume: "+message)
		if err != nil {
			return 0, err
		}
		return after, client.IgnoreNotFound(r.Delete(ctx, pod))
	case corev1.PodFailed:
		if err := r.Delete(ctx, pod, client.Preconditions{UID: &pod.UID}); client.IgnoreNotFound(err) != nil {
			return 0, fmt.Errorf("take away a removal that failed: %w", err)
		}
		return r.failed(ctx, config, entry, "RemovalFailed", "the removal's pod failed: "+message, tryAgain)
	default:
		return tryAgain, nil
	}
}

func (r *Reconciler) startRemoval(ctx context.Context, config *corev1.ConfigMap, entry ledger.Entry) error {
	running := &corev1.PodList{}
	if err := r.List(ctx, running, client.InNamespace(v1alpha1.ProxyNamespace), client.MatchingLabels{v1alpha1.LabelComponent: manifest.RemovalComponent}); err != nil {
		return fmt.Errorf("count removals: %w", err)
	}
	if len(running.Items) >= maxRemovals {
		return nil
	}
	owner := metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: config.Name, UID: config.UID}
	if err := r.Create(ctx, manifest.Removal(entry.UID, owner, r.Settings)); client.IgnoreAlreadyExists(err) != nil {
		return fmt.Errorf("start a removal: %w", err)
	}
	return nil
}

// stopRemoval ends a pod that has not removed everything yet: a hold came in between.
func (r *Reconciler) stopRemoval(ctx context.Context, entry ledger.Entry) error {
	if entry.Store != v1alpha1.StoreVolume || entry.ClosedAt.IsZero() {
		return nil
	}
	pod, err := lookup.Find[corev1.Pod](ctx, r.Client, v1alpha1.ProxyNamespace, manifest.RemovalName(entry.UID))
	if err != nil || pod == nil {
		return err
	}
	return client.IgnoreNotFound(r.Delete(ctx, pod, client.GracePeriodSeconds(0)))
}

// lastWords are a pod's termination message.
func lastWords(pod *corev1.Pod) string {
	for _, container := range pod.Status.ContainerStatuses {
		if ended := container.State.Terminated; ended != nil && ended.Message != "" {
			return wording.Fit(ended.Message, wording.Event)
		}
	}
	return wording.Fit("it left no word "+pod.Status.Reason, wording.Event)
}

// removed notes what is gone, which everybody who watches the ledger sees.
func (r *Reconciler) removed(ctx context.Context, config *corev1.ConfigMap, entry ledger.Entry, message string) (time.Duration, error) {
	entry.RemovedAt, entry.Message = r.Now(), message
	if err := r.write(ctx, config, entry); err != nil {
		return 0, err
	}
	r.Log.Info("recordings removed", "request", entry.UID, "namespace", entry.Namespace, "name", entry.Request,
		"store", entry.Store, "policy", entry.Policy, "retentionDays", entry.RetentionDays, "closedAt", entry.ClosedAt, "what", message)
	r.say(config, "Removed", wording.Fit(fmt.Sprintf("recordings of %s/%s, closed %s and kept for %d days: %s",
		entry.Namespace, entry.Request, entry.ClosedAt.Format(time.RFC3339), entry.RetentionDays, message), wording.Event))
	return remembered, nil
}

// failed notes why recordings are still there; the same again is not noted again.
func (r *Reconciler) failed(ctx context.Context, config *corev1.ConfigMap, entry ledger.Entry, reason, message string, again time.Duration) (time.Duration, error) {
	message = wording.Fit(message, wording.Event)
	r.Log.Info("recordings could not be removed", "request", entry.UID, "store", entry.Store, "reason", message)
	if entry.Message == message {
		return again, nil
	}
	entry.Message = message
	if err := r.write(ctx, config, entry); err != nil {
		return 0, err
	}
	r.warn(config, reason, message)
	return again, nil
}

// Opened is Buckets over the installation's stores.
type Opened struct {
	stores.Directory
	*stores.Buckets
}

// Task opens one request's recordings.
func (o Opened) Task(ctx context.Context, config *stores.Bucket, uid string) (Task, error) {
	return o.Buckets.Task(ctx, config, uid)
}
