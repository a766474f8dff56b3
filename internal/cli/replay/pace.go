package replay

import (
	"context"
	"time"
)

// pace waits between events as long as it took, or less.
type pace struct {
	// speed is how many times faster; 0 does not wait.
	speed float64
	// maxIdle cuts a longer wait; 0 does not.
	maxIdle time.Duration
	// wait sleeps, and returns the context's error if that ends first.
	wait func(ctx context.Context, d time.Duration) error

	last time.Time
}

// before waits until the event at this time is due.
func (p *pace) before(ctx context.Context, at time.Time) error {
	idle := at.Sub(p.last)
	first := p.last.IsZero()
	p.last = at
	if p.speed <= 0 || first || idle <= 0 {
		return ctx.Err()
	}
	if p.maxIdle > 0 {
		idle = min(idle, p.maxIdle)
	}
	return p.wait(ctx, time.Duration(float64(idle)/p.speed))
}

// Sleep waits on the clock.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
