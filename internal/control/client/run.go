package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/internal/grant"
)

// life is what Run knows beyond one connection.
type life struct {
	update func(grant.State)
	// requestUID is fixed by the first state: a proxy serves one task.
	requestUID string
	phase      grant.Phase
	// bid is set once the last report has been delivered.
	bid bool
}

// Run implements control.Source. It keeps one stream to the manager, and makes another
// when it breaks.
func (c *Client) Run(ctx context.Context, update func(grant.State)) error {
	l := &life{update: update}
	wait := c.timing.FirstRetry
	for {
		begun := c.now()
		err := c.attach(ctx, l)
		switch {
		case l.bid:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
		// A stream that lived was healthy: begin anew.
		if c.now().Sub(begun) > c.timing.LastRetry {
			wait = c.timing.FirstRetry
		}
		pause := wait/2 + rand.N(wait/2+1) //nolint:gosec // jitter, not a secret
		c.log.Info("lost the manager", "reason", reason(err), "retryIn", pause.String())
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		wait = min(2*wait, c.timing.LastRetry)
	}
}

// errRefused is a state that this proxy must not take.
var errRefused = errors.New("the manager sent a state of another task")

// accept says whether a state may replace the one before it. A replica that lags may
// send an older one: a proxy never goes back, and is not confirmed by it either.
func (l *life) accept(state grant.State) (bool, error) {
	if l.requestUID == "" {
		l.requestUID = state.Task.RequestUID
	}
	if state.Task.RequestUID != l.requestUID {
		return false, errRefused
	}
	if order(state.Phase) < order(l.phase) {
		return false, nil
	}
	return true, nil
}

func order(phase grant.Phase) int {
	switch phase {
	case grant.Waiting:
		return 1
	case grant.Granted:
		return 2
	case grant.Ended:
		return 3
	}
	return 0
}

// beat is the wait between heartbeats: a third of what the policy allows sessions to
// outlive the manager's silence.
func (c *Client) beat(state grant.State) time.Duration {
	beat := c.timing.Beat
	if state.Grant != nil {
		if loss := time.Duration(state.Grant.Policy.Session.ControlLossSeconds) * time.Second; loss > 0 {
			beat = min(beat, loss/3)
		}
	}
	return beat
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func reason(err error) string {
	if err == nil {
		return "the stream ended"
	}
	return status.Convert(err).Message()
}
