// Package accesstarget says in a target's status whether it can be used, and keeps
// a target while requests are open on it.
package accesstarget

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
)

// Targets finds the administrator's side of a target.
type Targets interface {
	Resolve(ctx context.Context, target *v1alpha1.AccessTarget) (credential.Target, error)
}

// Reconciler probes targets. Only the leader runs it.
type Reconciler struct {
	client.Client
	Targets Targets
	Issuers credential.Issuers
	Events  events.EventRecorder
	Now     func() time.Time
}

const (
	// probeInterval is how old what a status says may get, give or take a tenth.
	probeInterval = time.Minute
	// probeTimeout bounds one probe.
	probeTimeout = 20 * time.Second
)

// +kubebuilder:rbac:groups=access.sallyport.dev,resources=accesstargets,verbs=get;list;watch;update;patch
// +kubebuilder:rbac:groups=access.sallyport.dev,resources=accesstargets/status,verbs=get;patch
// +kubebuilder:rbac:groups=access.sallyport.dev,resources=taskaccessrequests,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconcile probes one target.
func (r *Reconciler) Reconcile(ctx context.Context, key ctrl.Request) (ctrl.Result, error) {
	target := &v1alpha1.AccessTarget{}
	if err := r.Get(ctx, key.NamespacedName, target); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	found := r.probe(ctx, target)
	if ctx.Err() != nil {
		return ctrl.Result{}, ctx.Err()
	}
	err := r.writeStatus(ctx, target, draft(target, found, r.Now()))
	switch {
	case apierrors.IsConflict(err):
		return ctrl.Result{RequeueAfter: 20 * time.Millisecond}, nil
	case err != nil:
		return ctrl.Result{}, client.IgnoreNotFound(err)
	case found.retry():
		return ctrl.Result{}, found.err
	}
	return ctrl.Result{RequeueAfter: wait.Jitter(probeInterval, 0.1)}, nil
}
