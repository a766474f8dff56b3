package session

import (
	"context"
	"errors"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
)

// Holder puts a held operation before reviewers, and waits. It calls changed at every
// change, first when the review is there, and returns when its outcome is known. It
// withdraws the review when ctx ends first.
type Holder func(ctx context.Context, held v1alpha1.HeldOperation, changed func(control.HoldState)) (control.HoldState, error)

// Hold is how an engine lives through the wait for reviewers.
type Hold struct {
	// Describe completes what the reviewers see: estimate, warnings, effects. It is
	// called once, bounded by ctx, before the review opens. Nil adds nothing.
	Describe func(ctx context.Context, held *v1alpha1.HeldOperation)
	// Tell tells the client what it waits for: when the review is there, when that
	// changes, and every half minute. An error ends the wait: the client left.
	Tell func(message string) error
	// Cancelled ends the wait when it is closed: the client no longer wants the
	// operation. Admit then returns ErrWithdrawn.
	Cancelled <-chan struct{}
}

// ErrWithdrawn is a held operation that its client has cancelled: nothing of it has
// reached the target, and the session stays usable.
var ErrWithdrawn = errors.New("cancelled while it waited for its reviewers")
