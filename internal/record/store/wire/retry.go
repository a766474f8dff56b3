package wire

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Retry says how often something is tried.
type Retry struct {
	// Attempts in all; 0 is 4.
	Attempts int
	// Timeout of each attempt; 0 is 15 s.
	Timeout time.Duration
	// First pause, doubled after each attempt, at most Most; 0 is 100 ms and 2 s.
	First, Most time.Duration
}

// permanent is an error that a further attempt would meet again.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent marks an error as one that ends Do at once.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

// Do tries until there is no error, a permanent one, no attempt left, or ctx ends. The
// pauses are drawn at random, so that many who failed together do not return together.
func (r Retry) Do(ctx context.Context, attempt func(context.Context) error) error {
	r = r.defaults()
	pause := r.First
	for tried := 1; ; tried++ {
		err := r.once(ctx, attempt)
		var final permanent
		switch {
		case err == nil:
			return nil
		case errors.As(err, &final):
			return final.error
		case ctx.Err() != nil:
			return errors.Join(ctx.Err(), err)
		case tried == r.Attempts:
			return fmt.Errorf("after %d attempts: %w", tried, err)
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2+1)) //nolint:gosec // a pause is no secret
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ctx.Err(), err)
		}
		pause = min(2*pause, r.Most)
	}
}

func (r Retry) once(ctx context.Context, attempt func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	return attempt(ctx)
}

func (r Retry) defaults() Retry {
	if r.Attempts == 0 {
		r.Attempts = 4
	}
	if r.Timeout == 0 {
		r.Timeout = 15 * time.Second
	}
	if r.First == 0 {
		r.First = 100 * time.Millisecond
	}
	if r.Most == 0 {
		r.Most = 2 * time.Second
	}
	return r
}
