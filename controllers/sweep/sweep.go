// Package sweep compares what targets and the cluster hold for tasks with the
// requests that there are, and removes the rest: what a lost request, a restored
// etcd or a manager killed at the wrong moment left behind.
package sweep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
)

// Targets finds the administrator's side of a target.
type Targets interface {
	Resolve(ctx context.Context, target *v1alpha1.AccessTarget) (credential.Target, error)
}

// Sweeper runs on the leader.
type Sweeper struct {
	Client client.Client
	// Uncached lists requests: to take a request for gone because a cache has not
	// seen it yet would end a live task.
	Uncached client.Reader
	Targets  Targets
	Issuers  credential.Issuers
	Interval time.Duration
	// Timeout bounds one sweep of one target.
	Timeout time.Duration
	Log     logr.Logger
}

// NeedLeaderElection says that only the leader sweeps.
func (s *Sweeper) NeedLeaderElection() bool { return true }

// Start sweeps at once and then every Interval, until ctx ends.
func (s *Sweeper) Start(ctx context.Context) error {
	ticker := time.NewTicker(s.Interval)
	defer ticker.Stop()
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error(err, "sweep incomplete; the next one tries again")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Sweep makes one pass. What a target or the cluster holds is listed before the
// requests are: whatever was made in between has its request already.
func (s *Sweeper) Sweep(ctx context.Context) error {
	objects, err := s.objects(ctx)
	if err != nil {
		return err
	}
	credentials, listErr := s.credentials(ctx)
	open, err := s.openRequests(ctx)
	if err != nil {
		return errors.Join(listErr, err)
	}
	failures := []error{listErr}
	for _, object := range objects {
		if open[object.GetLabels()[v1alpha1.LabelRequestUID]] {
			continue
		}
		s.Log.Info("removing an orphan", "kind", fmt.Sprintf("%T", object), "name", object.GetName())
		uid := object.GetUID()
		if err := s.Client.Delete(ctx, object, client.Preconditions{UID: &uid}); client.IgnoreNotFound(err) != nil {
			failures = append(failures, fmt.Errorf("remove %T %s: %w", object, object.GetName(), err))
		}
	}
	for _, held := range credentials {
		if open[held.uid] {
			continue
		}
		s.Log.Info("revoking an orphaned credential", "target", held.target.Namespace+"/"+held.target.Name, "request", held.uid)
		if err := s.revoke(ctx, held); err != nil {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// openRequests is the UIDs of all requests that are not torn down yet.
func (s *Sweeper) openRequests(ctx context.Context) (map[string]bool, error) {
	open := map[string]bool{}
	next := ""
	for {
		// A list of its own for each page: JSON decoded over the page before keeps from
		// it what an item leaves out, such as closedAt.
		list := &v1alpha1.TaskAccessRequestList{}
		if err := s.Uncached.List(ctx, list, client.Limit(500), client.Continue(next)); err != nil {
			return nil, fmt.Errorf("list requests: %w", err)
		}
		for _, request := range list.Items {
			if request.Status.ClosedAt == nil {
				open[string(request.UID)] = true
			}
		}
		if next = list.Continue; next == "" {
			return open, nil
		}
	}
}

// objects is everything of tasks in the proxies' namespace.
func (s *Sweeper) objects(ctx context.Context) ([]client.Object, error) {
	found := []client.Object{}
	for _, list := range []client.ObjectList{
		&corev1.PodList{}, &corev1.ServiceList{}, &corev1.ServiceAccountList{},
		&networkingv1.NetworkPolicyList{}, &rbacv1.RoleBindingList{}, &rbacv1.RoleList{},
	} {
		if err := s.Client.List(ctx, list, client.InNamespace(v1alpha1.ProxyNamespace), client.HasLabels{v1alpha1.LabelRequestUID}); err != nil {
			return nil, fmt.Errorf("list %T: %w", list, err)
		}
		if err := meta.EachListItem(list, func(object runtime.Object) error {
			found = append(found, object.(client.Object))
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return found, nil
}
