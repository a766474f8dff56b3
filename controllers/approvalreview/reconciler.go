// Package approvalreview counts reviews: it latches decisions into the status by
// the manager's clock, and ends a review when it is decided, expired, or asks about
// something that is no longer there.
package approvalreview

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/internal/approval"
)

// Reconciler counts reviews. Only the leader runs it.
type Reconciler struct {
	client.Client
	// Live reads past the cache: an outcome is terminal, so it is never reached on
	// what the cache alone says.
	Live       client.Reader
	Authoriser Authoriser
	Identities approval.Identities
	Events     events.EventRecorder
	Now        func() time.Time
}

// +kubebuilder:rbac:groups=access.sallyport.dev,resources=approvalreviews;taskaccessrequests;accesspolicies;accesstargets,verbs=get;list;watch
// +kubebuilder:rbac:groups=access.sallyport.dev,resources=approvalreviews,verbs=delete
// +kubebuilder:rbac:groups=access.sallyport.dev,resources=approvalreviews/status,verbs=get;patch
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconcile counts one review.
func (r *Reconciler) Reconcile(ctx context.Context, key ctrl.Request) (ctrl.Result, error) {
	s, err := gather(ctx, r.Client, key)
	if err != nil || s == nil {
		return ctrl.Result{}, err
	}
	if s.decided() {
		return r.retire(ctx, s)
	}
	held := r.count(ctx, s)
	if s.result.Outcome != "" {
		if s, err = gather(ctx, r.Live, key); err != nil || s == nil || s.decided() {
			return ctrl.Result{}, err
		}
		held = r.count(ctx, s)
	}
	if err := r.writeStatus(ctx, s); err != nil {
		// A conflict means that somebody decided meanwhile, or another leader wrote.
		if apierrors.IsConflict(err) {
			return ctrl.Result{RequeueAfter: 20 * time.Millisecond}, nil
		}
		return ctrl.Result{}, errors.Join(held, client.IgnoreNotFound(err))
	}
	if held != nil || s.result.Outcome != "" {
		return ctrl.Result{}, held
	}
	return ctrl.Result{RequeueAfter: untilDeadline(s.review.Spec.Question.ExpiresAt.Time, r.Now())}, nil
}

// count decides about what was gathered. The error is a look-up that failed; the
// count stands without it, and it is worth another try.
func (r *Reconciler) count(ctx context.Context, s *scope) error {
	authorised, err := r.authorise(ctx, s.review)
	s.result = approval.Count(approval.Input{
		Question:   s.review.Spec.Question,
		Decisions:  s.review.Spec.Decisions,
		Latched:    s.review.Status.Latched,
		Outcome:    s.review.Status.Outcome,
		Authorised: authorised,
		Withdrawn:  s.withdrawn(),
		Now:        r.Now(),
		Identities: r.Identities,
	})
	return err
}

// keepHeld is how long the review of a held operation stays after its outcome: the
// recording keeps what was decided, a namespace need not.
const keepHeld = 24 * time.Hour

// retire removes the review of a held operation once it has been over for long. That of
// a request goes with its request.
func (r *Reconciler) retire(ctx context.Context, s *scope) (ctrl.Result, error) {
	if !s.held() || s.review.Status.DecidedAt == nil {
		return ctrl.Result{}, nil
	}
	if due := s.review.Status.DecidedAt.Add(keepHeld); r.Now().Before(due) {
		return ctrl.Result{RequeueAfter: untilDeadline(due, r.Now())}, nil
	}
	if err := r.Delete(ctx, s.review, client.Preconditions{UID: &s.review.UID}); client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("remove review %s: %w", s.review.Name, err)
	}
	return ctrl.Result{}, nil
}

// untilDeadline is never nothing: a timer that fires early must come again.
func untilDeadline(deadline, now time.Time) time.Duration {
	return max(deadline.Sub(now), 50*time.Millisecond)
}
