package taskaccessrequest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/lookup"
	"github.com/sallyport/sallyport/internal/ledger"
	"github.com/sallyport/sallyport/internal/manifest"
	"github.com/sallyport/sallyport/internal/stores"
)

// Stores finds the installation's buckets, and where proxies may connect to for them.
// The volume is none of them.
type Stores interface {
	Find(ctx context.Context, name string) (*stores.Bucket, error)
	Egress(ctx context.Context, bucket *stores.Bucket) ([]netip.Prefix, error)
}

// followStore is how often the addresses of a live task's bucket are looked at.
const followStore = time.Minute

// keepRecordings latches where the task's recordings go, and enters them into the
// ledger, before anything can be recorded.
func (r *Reconciler) keepRecordings(ctx context.Context, s *scope) error {
	if s.status.Recording == nil || s.status.Recording.Store == "" {
		if s.policy == nil {
			return errors.New("the policy that says where to record is gone")
		}
		latched := &v1alpha1.RecordingStatus{}
		if s.status.Recording != nil {
			latched = s.status.Recording.DeepCopy()
		}
		recording := s.policy.Spec.Recording
		latched.Store, latched.Path, latched.BestEffort = stores.Of(recording), s.uid(), !required(recording)
		s.status.Recording = latched
	}
	there, err := lookup.Find[corev1.ConfigMap](ctx, r.Client, v1alpha1.ProxyNamespace, ledger.Name(s.uid()))
	if err != nil || there != nil {
		return err
	}
	if err := r.Create(ctx, r.entry(s).ConfigMap()); client.IgnoreAlreadyExists(err) != nil {
		return fmt.Errorf("enter the recordings into the ledger: %w", err)
	}
	return nil
}

func required(recording v1alpha1.RecordingPolicy) bool {
	return recording.Required == nil || *recording.Required
}

// entry is the ledger's, as the policy has it.
func (r *Reconciler) entry(s *scope) ledger.Entry {
	entry := ledger.Entry{
		UID: s.uid(), Namespace: s.request.Namespace, Request: s.request.Name, Requester: s.request.Spec.Requester.Username,
		Store: v1alpha1.StoreVolume, OpenedAt: r.Now(),
	}
	if s.status.Recording != nil && s.status.Recording.Store != "" {
		entry.Store = s.status.Recording.Store
	}
	if s.policy != nil {
		entry.Policy, entry.RetentionDays = s.policy.Name, s.policy.Spec.Recording.RetentionDays
		if s.policy.Spec.Recording.LegalHold {
			entry.PolicyHold = "recording.legalHold"
		}
	}
	return entry
}

// closeLedger latches the end from which retention counts, while the finalizer still
// keeps the request. An entry of which nothing can come is taken back.
func (r *Reconciler) closeLedger(ctx context.Context, s *scope) error {
	there, err := lookup.Find[corev1.ConfigMap](ctx, r.Client, v1alpha1.ProxyNamespace, ledger.Name(s.uid()))
	if err != nil {
		return err
	}
	if !mayHaveRecorded(s.status) {
		if there == nil {
			return nil
		}
		return client.IgnoreNotFound(r.Delete(ctx, there))
	}
	if there == nil {
		// Taken away by hand, or by a restored cluster: what the policy said is gone with it,
		// so the recordings stay until somebody says otherwise.
		entry := r.entry(s)
		entry.Close(r.Now())
		return client.IgnoreAlreadyExists(r.Create(ctx, entry.ConfigMap()))
	}
	entry, err := ledger.Parse(there)
	if err != nil || !entry.ClosedAt.IsZero() {
		return nil //nolint:nilerr // what an owner broke there keeps the recordings, and no teardown: the retention controller says so
	}
	entry.Close(r.Now())
	closed := there.DeepCopy()
	entry.Write(closed)
	if err := r.Update(ctx, closed); err != nil {
		return fmt.Errorf("close the ledger's entry: %w", err)
	}
	return nil
}

// mayHaveRecorded says whether a session can have left anything.
func mayHaveRecorded(status v1alpha1.TaskAccessRequestStatus) bool {
	return status.GrantedAt != nil || status.Sessions != nil && status.Sessions.Total > 0 ||
		status.Recording != nil && len(status.Recording.Head) > 0
}

// store is where the recordings go, as the task's pod and network policy have to know.
func (r *Reconciler) store(ctx context.Context, s *scope) (manifest.Store, error) {
	name := s.status.Recording.Store
	if name == v1alpha1.StoreVolume {
		return manifest.Store{}, nil
	}
	bucket, err := r.Stores.Find(ctx, name)
	if err != nil {
		return manifest.Store{}, err
	}
	egress, err := r.Stores.Egress(ctx, bucket)
	return manifest.Store{Egress: egress, Port: bucket.Port()}, err
}

// untilChecked is how long a live task may be left alone.
func untilChecked(s *scope, left time.Duration) time.Duration {
	if s.status.Recording != nil && s.status.Recording.Store != v1alpha1.StoreVolume {
		return min(left, followStore)
	}
	return left
}
