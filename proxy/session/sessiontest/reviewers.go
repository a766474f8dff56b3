package sessiontest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
)

// patience bounds what must happen by itself.
const patience = 10 * time.Second

// Reviewers is a session.Holder whose answers a test gives.
type Reviewers struct {
	// opened hands each operation to Next.
	opened chan *Held
}

// Held is an operation before its reviewers.
type Held struct {
	Operation v1alpha1.HeldOperation
	// Review is its name.
	Review string
	// Withdrawn is closed when nobody waits for the answer any more.
	Withdrawn <-chan struct{}

	answers chan control.HoldState
}

func newReviewers() *Reviewers { return &Reviewers{opened: make(chan *Held, 64)} }

// Hold is the session.Holder.
func (r *Reviewers) Hold(ctx context.Context, operation v1alpha1.HeldOperation, changed func(control.HoldState)) (control.HoldState, error) {
	held := &Held{
		Operation: operation, Withdrawn: ctx.Done(), answers: make(chan control.HoldState, 8),
		Review: fmt.Sprintf("pay-1423-%.8s", operation.Digest),
	}
	select {
	case r.opened <- held:
	case <-ctx.Done():
		return control.HoldState{}, context.Cause(ctx)
	}
	changed(held.state("", "needs 1 of dba"))
	for {
		select {
		case state := <-held.answers:
			if state.Outcome != "" {
				return state, nil
			}
			changed(state)
		case <-ctx.Done():
			return control.HoldState{}, context.Cause(ctx)
		}
	}
}

// Next is the next operation that comes to be held.
func (r *Reviewers) Next(t testing.TB) *Held {
	t.Helper()
	select {
	case held := <-r.opened:
		return held
	case <-time.After(patience):
		t.Fatal("no operation was put before the reviewers")
		return nil
	}
}

// None fails the test if an operation has been held that Next has not returned.
func (r *Reviewers) None(t testing.TB) {
	t.Helper()
	select {
	case held := <-r.opened:
		t.Errorf("operation %q was held", held.Operation.Text)
	default:
	}
}

func (h *Held) state(outcome v1alpha1.Outcome, message string) control.HoldState {
	return control.HoldState{Review: h.Review, Digest: h.Operation.Digest, Outcome: outcome, Message: message}
}

// Approve says yes to this very operation.
func (h *Held) Approve() { h.Answer(h.state(v1alpha1.OutcomeApproved, "approved by alice (dba)")) }

// Deny says no, in these words.
func (h *Held) Deny(words string) { h.Answer(h.state(v1alpha1.OutcomeDenied, words)) }

// Expire lets the time pass.
func (h *Held) Expire() { h.Answer(h.state(v1alpha1.OutcomeExpired, "still needed 1 of dba")) }

// Answer says anything.
func (h *Held) Answer(state control.HoldState) { h.answers <- state }

// AwaitWithdrawn returns when nobody waits for the answer any more.
func (h *Held) AwaitWithdrawn(t testing.TB) {
	t.Helper()
	select {
	case <-h.Withdrawn:
	case <-time.After(patience):
		t.Fatalf("the review of %q was not withdrawn", h.Operation.Text)
	}
}
