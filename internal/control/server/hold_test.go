package server_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/control/server"
)

func statement(id string) v1alpha1.HeldOperation {
	return v1alpha1.HeldOperation{
		ID: "s-1/" + id, Point: v1alpha1.HoldAtStatement, Digest: strings.Repeat("ab", 32), Rule: "look-first",
		Kind: "update", Text: "UPDATE orders SET paid = true <>&", Values: []string{"'7'", "NULL"},
		Writes: []string{"public.orders"}, EstimatedRows: new(int64(12)),
	}
}

// holding is a proxy with one operation before reviewers.
type holding struct {
	states chan control.HoldState
	done   chan error
	last   control.HoldState
	leave  context.CancelCauseFunc
}

func (p *proxy) hold(t *testing.T, operation v1alpha1.HeldOperation) *holding {
	t.Helper()
	h := &holding{states: make(chan control.HoldState, 64), done: make(chan error, 1)}
	ctx, leave := context.WithCancelCause(t.Context())
	h.leave = leave
	go func() {
		var err error
		h.last, err = p.Hold(ctx, operation, func(s control.HoldState) { h.states <- s })
		h.done <- err
	}()
	return h
}

func (k *tasks) answer(id string, outcome v1alpha1.Outcome, message string) {
	k.set(func(k *tasks) {
		state := &k.holds[mine+"s-1/"+id].state
		state.Outcome, state.Message = outcome, message
	})
}

func TestAHeldOperationIsBeforeReviewersUntilTheyAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	p := w.proxy(w.options("mine"))
	h := p.hold(t, statement("1"))
	open := control.HoldState{Review: "pay-1423-0123456789", Digest: strings.Repeat("ab", 32), Message: "needs 1 of dba"}
	if diff := cmp.Diff(open, within(t, h.states, "a state")); diff != "" {
		t.Fatal(diff)
	}
	if diff := cmp.Diff(statement("1"), w.tasks.hold(mine, "s-1/1").operation); diff != "" {
		t.Errorf("what the reviewers see (-want +got):\n%s", diff)
	}
	asked := time.Now()
	w.tasks.answer("1", v1alpha1.OutcomeApproved, "approved by alice")
	if err := within(t, h.done, "an answer"); err != nil || h.last.Outcome != v1alpha1.OutcomeApproved || h.last.Message != "approved by alice" {
		t.Errorf("%+v, %v", h.last, err)
	}
	if d := time.Since(asked); d > 500*time.Millisecond {
		t.Errorf("the answer took %s", d)
	}
}

func TestREV4_AHoldOutlivesItsManager(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	p := w.proxy(w.options("mine"))
	h := p.hold(t, statement("1"))
	within(t, h.states, "a state")
	w.stop()
	w.start()
	// The same operation again: no second review.
	within(t, h.states, "the state from the next manager")
	if again := w.tasks.hold(mine, "s-1/1").opened; again < 2 {
		t.Errorf("it was put before reviewers %d times", again)
	}
	w.tasks.answer("1", v1alpha1.OutcomeDenied, "alice: use the replica")
	if err := within(t, h.done, "an answer"); err != nil || h.last.Outcome != v1alpha1.OutcomeDenied {
		t.Errorf("%+v, %v", h.last, err)
	}
}

func TestAHoldThatNobodyWaitsForIsWithdrawn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	p := w.proxy(w.options("mine"))
	h := p.hold(t, statement("1"))
	within(t, h.states, "a state")
	left := errors.New("Ctrl-C")
	h.leave(left)
	if err := within(t, h.done, "the end of the wait"); !errors.Is(err, left) {
		t.Error(err)
	}
	within(t, w.tasks.hold(mine, "s-1/1").withdrawn, "a withdrawal")
}

func TestAWithdrawalWaitsForAManagerThatIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	p := w.proxy(w.options("mine"))
	h := p.hold(t, statement("1"))
	within(t, h.states, "a state")
	w.stop()
	h.leave(errors.New("Ctrl-C"))
	within(t, h.done, "the end of the wait")
	w.start()
	within(t, w.tasks.hold(mine, "s-1/1").withdrawn, "a withdrawal from the next manager")
}

func TestAHoldThatTheManagerRefusesIsRefusedInItsWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	p := w.proxy(w.options("mine"))
	p.next(t)
	w.tasks.set(func(k *tasks) { k.err = fmt.Errorf("%w: the request is over", control.ErrHoldRefused) })
	err := within(t, p.hold(t, statement("1")).done, "a refusal")
	if !errors.Is(err, control.ErrHoldRefused) || err.Error() != "the operation cannot be held: the request is over" {
		t.Error(err)
	}
}

func TestAHoldWaitsForAManagerThatCannotRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{Hold: 200 * time.Millisecond})
	p := w.proxy(w.options("mine"))
	h := p.hold(t, statement("1"))
	within(t, h.states, "a state")
	w.tasks.set(func(k *tasks) { k.err = errDown })
	select {
	case err := <-h.done:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(time.Second):
	}
	w.tasks.set(func(k *tasks) { k.err = nil })
	w.tasks.answer("1", v1alpha1.OutcomeApproved, "approved by alice")
	if err := within(t, h.done, "an answer"); err != nil {
		t.Error(err)
	}
}

func TestLIFE6_AProxyHoldsForItsOwnRequestAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	w.proxy(w.options("others")).hold(t, statement("1"))
	h := w.proxy(w.options("mine")).hold(t, statement("1"))
	within(t, h.states, "a state")
	h.leave(nil)
	within(t, w.tasks.hold(mine, "s-1/1").withdrawn, "a withdrawal")
	if other := w.tasks.hold(others, "s-1/1"); other != nil {
		select {
		case <-other.withdrawn:
			t.Error("another request's hold was withdrawn")
		default:
		}
	}
}

func TestPG8_WhatIsNoHeldOperationIsRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*v1alpha1.HeldOperation){
		"no name":           func(h *v1alpha1.HeldOperation) { h.ID = "" },
		"a name that is no": func(h *v1alpha1.HeldOperation) { h.ID = "../1" },
		"no digest":         func(h *v1alpha1.HeldOperation) { h.Digest = strings.Repeat("x", 64) },
		"no rule":           func(h *v1alpha1.HeldOperation) { h.Rule = "" },
		"another point":     func(h *v1alpha1.HeldOperation) { h.Point = "Whenever" },
		"too much text":     func(h *v1alpha1.HeldOperation) { h.Text = strings.Repeat("x", control.MaxHeldText) },
		"too much":          func(h *v1alpha1.HeldOperation) { h.Preview = strings.Repeat("x", control.MaxHeld) },
	} {
		operation := statement("1")
		change(&operation)
		encoded, err := control.EncodeHeld(operation)
		if err == nil {
			_, err = control.DecodeHeld(encoded)
		}
		if !errors.Is(err, control.ErrHoldRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, wire := range []string{"", "{", `{"id":"s/1","more":1}`, "\xff"} {
		if _, err := control.DecodeHeld([]byte(wire)); !errors.Is(err, control.ErrHoldRefused) {
			t.Errorf("%q: %v", wire, err)
		}
	}
}
