package retention

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/lookup"
	"github.com/sallyport/sallyport/controllers/wording"
	"github.com/sallyport/sallyport/internal/ledger"
	"github.com/sallyport/sallyport/internal/manifest"
	"github.com/sallyport/sallyport/internal/record/store/bucket"
	"github.com/sallyport/sallyport/internal/stores"
)

// Buckets finds and opens buckets.
type Buckets interface {
	Find(ctx context.Context, name string) (*stores.Bucket, error)
	Task(ctx context.Context, config *stores.Bucket, uid string) (Task, error)
}

// Task is one request's recordings in a bucket.
type Task interface {
	Remove(ctx context.Context) error
	Protect(ctx context.Context, retention bucket.Retention) error
}

// follow takes over the request's annotation while there is a request, and closes an
// entry whose request went without a word: with a finalizer forced, or a restored etcd.
func (r *Reconciler) follow(ctx context.Context, entry *ledger.Entry) error {
	request, err := find(ctx, r.Client, *entry)
	if err != nil {
		return err
	}
	if request != nil {
		entry.RequestHold = holdOf(request)
		return nil
	}
	if !entry.ClosedAt.IsZero() {
		return nil
	}
	if request, err = find(ctx, r.Live, *entry); err != nil || request != nil {
		return err
	}
	pod, err := lookup.Find[corev1.Pod](ctx, r.Live, v1alpha1.ProxyNamespace, manifest.Name(entry.UID))
	if err == nil && pod == nil {
		entry.Close(r.Now())
	}
	return err
}

// find is the request of an entry; a namesake is none.
func find(ctx context.Context, reader client.Reader, entry ledger.Entry) (*v1alpha1.TaskAccessRequest, error) {
	request, err := lookup.Find[v1alpha1.TaskAccessRequest](ctx, reader, entry.Namespace, entry.Request)
	if err != nil || request == nil || string(request.UID) != entry.UID {
		return nil, err
	}
	return request, nil
}

// holdOf is the reason of a request's annotation; an empty one holds, too.
func holdOf(request *v1alpha1.TaskAccessRequest) string {
	reason, held := request.Annotations[v1alpha1.AnnotationLegalHold]
	if held && reason == "" {
		reason = "no reason given"
	}
	return wording.Fit(reason, wording.Condition)
}

// lock tells a bucket that locks objects of a hold that is new or gone, so that nobody
// else with a credential removes them either.
func (r *Reconciler) lock(ctx context.Context, config *corev1.ConfigMap, entry *ledger.Entry) error {
	held := entry.Held() != ""
	if entry.Store == v1alpha1.StoreVolume || held == entry.BucketHold {
		return nil
	}
	found, err := r.Buckets.Find(ctx, entry.Store)
	if unknown, ok := errors.AsType[*stores.UnknownError](err); ok {
		r.Log.Info("a hold cannot be told to its bucket", "request", entry.UID, "reason", unknown.Error())
		return nil
	}
	if err != nil || found.Lock == stores.LockNone {
		return err
	}
	task, err := r.Buckets.Task(ctx, found, entry.UID)
	if err != nil {
		return err
	}
	if err := task.Protect(ctx, bucket.Retention{LegalHold: held}); err != nil {
		return fmt.Errorf("hold the recordings of %s in store %q: %w", entry.UID, entry.Store, err)
	}
	entry.BucketHold = held
	return r.write(ctx, config, *entry)
}

// tellOfHolds says in events which holds are new, and which are gone.
func (r *Reconciler) tellOfHolds(config *corev1.ConfigMap, before, after ledger.Entry) {
	switch {
	case before.RequestHold == after.RequestHold:
	case after.RequestHold != "":
		r.say(config, "HoldSet", "recordings of "+after.Namespace+"/"+after.Request+" are held: "+after.RequestHold)
	default:
		r.say(config, "HoldCleared", "the request's annotation no longer holds the recordings of "+after.Namespace+"/"+after.Request)
	}
}
