// Package taskaccessrequest leads a request through its life:
// match policy → review → proxy → grant → active → closing → closed.
//
// Reconcile is an ordered list of named phases. gather is the only reader, status.go
// the only writer of status; each phase is a decision that needs no cluster, and the
// smallest effect that follows from it.
package taskaccessrequest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/manifest"
)

// Targets finds the administrator's side of a target: its Secret, checked against
// the AccessTarget, and its resolved addresses.
type Targets interface {
	Resolve(ctx context.Context, target *v1alpha1.AccessTarget) (credential.Target, error)
}

// HostKeys makes the SSH host key of each task's proxy, the same each time: package keys.
type HostKeys interface {
	HostKey(requestUID string) (private grant.Secret, public string, err error)
}

// Guard says what of the installed admission policies differs from the manager's
// own; while anything does, nothing is granted.
type Guard interface {
	Differences(ctx context.Context) ([]string, error)
}

// Reconciler leads requests through their life. Only the leader runs it.
type Reconciler struct {
	client.Client
	// Live reads past the cache: no request ends for good on what the cache alone says.
	Live     client.Reader
	Targets  Targets
	Stores   Stores
	Issuers  credential.Issuers
	HostKeys HostKeys
	Guard    Guard
	Events   events.EventRecorder
	Now      func() time.Time
	Settings manifest.Settings
	// MaxOpenPerPerson bounds how many open requests, and so proxy pods, one
	// person may have at once.
	MaxOpenPerPerson int
}

// effectTimeout bounds everything that one pass does to a target.
const effectTimeout = 20 * time.Second

type phase struct {
	name string
	run  func(context.Context, *scope) (outcome, error)
}

func (r *Reconciler) phases() []phase {
	return []phase{
		{"hold on", r.holdOn},
		{"end", r.end},
		{"close", r.close},
		{"match", r.match},
		{"review", r.openReview},
		{"proxy", r.proxy},
		{"approved", r.approved},
		{"grant", r.grant},
		{"active", r.active},
	}
}

// Reconcile makes one pass over one request.
func (r *Reconciler) Reconcile(ctx context.Context, key ctrl.Request) (ctrl.Result, error) {
	s, err := r.gather(ctx, key)
	if err != nil || s == nil {
		return ctrl.Result{}, err
	}
	result, err := r.run(ctx, s)
	if statusErr := r.writeStatus(ctx, s); statusErr != nil {
		// A conflict means that the cache was behind: the next pass sees more.
		if apierrors.IsConflict(statusErr) {
			return ctrl.Result{RequeueAfter: 20 * time.Millisecond}, nil
		}
		return ctrl.Result{}, errors.Join(err, client.IgnoreNotFound(statusErr))
	}
	return result, err
}

func (r *Reconciler) run(ctx context.Context, s *scope) (ctrl.Result, error) {
	for _, phase := range r.phases() {
		result, err := phase.run(ctx, s)
		if apierrors.IsConflict(err) {
			return ctrl.Result{RequeueAfter: 20 * time.Millisecond}, nil
		}
		if err != nil {
			return ctrl.Result{}, fmt.Errorf("%s: %w", phase.name, err)
		}
		if result.stop {
			return ctrl.Result{RequeueAfter: result.after}, nil
		}
	}
	return ctrl.Result{}, nil
}

// changed says whether the draft differs from what was read.
func changed(s *scope) bool {
	return !equality.Semantic.DeepEqual(s.request.Status, s.status)
}
