package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/control/controlpb"
)

const (
	// withdrawWithin bounds the way back: less than a pod has to stop.
	withdrawWithin = 2 * time.Second
	// withdrawAgain is when a withdrawal that found nothing is repeated: the question may
	// still have been on its way.
	withdrawAgain = 300 * time.Millisecond
)

// Hold puts an operation before its reviewers, through reconnects and a manager that is
// away, until there is an outcome or ctx ends; then it withdraws the review. It calls
// changed at every change. An ErrHoldRefused is the manager's, in its words.
func (c *Client) Hold(ctx context.Context, held v1alpha1.HeldOperation, changed func(control.HoldState)) (control.HoldState, error) {
	encoded, err := control.EncodeHeld(held)
	if err != nil {
		return control.HoldState{}, err
	}
	wait := c.timing.FirstRetry
	for {
		begun := c.now()
		state, err := c.hold(ctx, encoded, changed)
		switch {
		case ctx.Err() != nil:
			c.withdrawHold(ctx, held)
			return control.HoldState{}, context.Cause(ctx)
		case err == nil:
			return state, nil
		case status.Code(err) == codes.FailedPrecondition, status.Code(err) == codes.InvalidArgument:
			return control.HoldState{}, &refusedHold{status.Convert(err).Message()}
		case status.Code(err) == codes.Unimplemented:
			return control.HoldState{}, fmt.Errorf("%w: the manager is older than this proxy", control.ErrHoldRefused)
		}
		if c.now().Sub(begun) > c.timing.LastRetry {
			wait = c.timing.FirstRetry
		}
		pause := wait/2 + rand.N(wait/2+1) //nolint:gosec // jitter, not a secret
		c.log.Info("lost the review of a held operation", "operation", held.ID, "reason", reason(err), "retryIn", pause.String())
		if err := sleep(ctx, pause); err == nil {
			wait = min(2*wait, c.timing.LastRetry)
		}
	}
}

// hold follows one stream to the outcome.
func (c *Client) hold(ctx context.Context, encoded []byte, changed func(control.HoldState)) (control.HoldState, error) {
	connection, err := c.current(ctx)
	if err != nil {
		return control.HoldState{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := controlpb.NewControlClient(connection.grpc).Hold(ctx, &controlpb.HoldRequest{Operation: encoded})
	if err != nil {
		return control.HoldState{}, err
	}
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return control.HoldState{}, io.ErrUnexpectedEOF
		}
		if err != nil {
			return control.HoldState{}, err
		}
		state := control.HoldState{
			Review: in.GetReview(), Outcome: v1alpha1.Outcome(in.GetOutcome()), Digest: in.GetDigest(), Message: in.GetMessage(),
		}
		changed(state)
		if state.Outcome != "" {
			return state, nil
		}
	}
}

// withdrawHold tells the manager that nobody waits any more.
func (c *Client) withdrawHold(ctx context.Context, held v1alpha1.HeldOperation) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawWithin)
	defer cancel()
	for {
		err := c.withdrawOnce(ctx, held)
		if err == nil {
			return
		}
		if sleep(ctx, withdrawAgain) != nil {
			c.log.Info("could not withdraw a review yet", "operation", held.ID, "reason", reason(err))
			c.leaveBehind(held)
			return
		}
	}
}

// maxLeftBehind bounds the withdrawals that wait for a manager. A review that is left
// open releases nothing, and expires.
const maxLeftBehind = 64

// leaveBehind keeps a withdrawal for the next connection.
func (c *Client) leaveBehind(held v1alpha1.HeldOperation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.leftBehind) < maxLeftBehind {
		c.leftBehind = append(c.leftBehind, v1alpha1.HeldOperation{ID: held.ID, Point: held.Point})
	}
}

// withdrawLeftBehind withdraws what could not be withdrawn before. What fails again, or
// is not there, is given up.
func (c *Client) withdrawLeftBehind(ctx context.Context) {
	c.mu.Lock()
	left := c.leftBehind
	c.leftBehind = nil
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, withdrawWithin)
	defer cancel()
	for _, held := range left {
		if err := c.withdrawOnce(ctx, held); err != nil {
			c.log.Info("could not withdraw a review: it expires", "operation", held.ID, "reason", reason(err))
		}
	}
}

var errNotFound = errors.New("no such review yet")

func (c *Client) withdrawOnce(ctx context.Context, held v1alpha1.HeldOperation) error {
	connection, err := c.current(ctx)
	if err != nil {
		return err
	}
	answer, err := controlpb.NewControlClient(connection.grpc).Withdraw(ctx, &controlpb.WithdrawRequest{Id: held.ID, Point: string(held.Point)})
	if err == nil && !answer.GetFound() {
		return errNotFound
	}
	return err
}

// refusedHold is an ErrHoldRefused in the manager's words.
type refusedHold struct{ words string }

func (e *refusedHold) Error() string        { return e.words }
func (e *refusedHold) Is(target error) bool { return target == control.ErrHoldRefused }
