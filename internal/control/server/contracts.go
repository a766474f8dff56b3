// Package server is the manager's side of the control channel. Every replica can
// serve it: what it says comes from the custom resources.
package server

import (
	"context"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/grant"
)

// Provider knows the tasks. An error of it holds the task where it is: nothing is
// granted by it, and nothing confirmed.
type Provider interface {
	// State is the state of a request's task now. A grant must rest on uncached
	// reads of request and review; a request that is gone is grant.Ended. It is
	// called on every change, and every few seconds for every proxy.
	State(ctx context.Context, requestUID string) (grant.State, error)
	// Subscribe gives a channel (capacity 1, signals coalesce) that says that the
	// request's state may have changed, until cancel is called. It never blocks.
	Subscribe(requestUID string) (changed <-chan struct{}, cancel func())
	// Report takes what the request's proxy says of itself: bounded and well-formed,
	// at most one a second for each proxy, and still the proxy's word alone. Of audit
	// events it has those of reports that it has overtaken, too.
	Report(ctx context.Context, requestUID string, report control.Report) error
	// OpenHold puts an operation of the request before reviewers, or finds the review
	// that is there already. A control.ErrHoldRefused is final, in words for the client.
	OpenHold(ctx context.Context, requestUID string, held v1alpha1.HeldOperation) (control.HoldState, error)
	// HoldState is how that review stands. An approval of a request that is no longer
	// granted is an ErrHoldRefused. Changes come through Subscribe.
	HoldState(ctx context.Context, requestUID, id string, point v1alpha1.HoldPoint) (control.HoldState, error)
	// Withdraw ends that review, if there is one.
	Withdraw(ctx context.Context, requestUID, id string, point v1alpha1.HoldPoint) (found bool, err error)
}

// Resolver finds the request that a proxy pod stands for.
type Resolver interface {
	// Resolve returns the request's UID, if such a pod lives and is a proxy. An
	// ErrUnknownPod refuses the caller; any other error asks it to try again.
	Resolve(ctx context.Context, pod Pod) (requestUID string, err error)
}

// Pod is a pod of the proxies' namespace, as its token names it.
type Pod struct {
	Name, UID, ServiceAccount string
}

// TokenReviews is the API server's TokenReview, as in client-go's
// AuthenticationV1().TokenReviews().
type TokenReviews interface {
	Create(ctx context.Context, review *authenticationv1.TokenReview, options metav1.CreateOptions) (*authenticationv1.TokenReview, error)
}
