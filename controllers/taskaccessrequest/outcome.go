package taskaccessrequest

import (
	"fmt"
	"time"
)

// outcome is what a phase leaves to do: go on, or end the pass.
type outcome struct {
	stop  bool
	after time.Duration
}

// next goes on with the following phase.
var next = outcome{}

// stop ends the pass until something that the request depends on changes.
var stop = outcome{stop: true}

// again ends the pass and comes back after d, or when something changes.
func again(d time.Duration) outcome {
	return outcome{stop: true, after: max(d, 10*time.Millisecond)}
}

// retry is an error that is worth another try with backoff; its text is fit for a
// condition: it holds no secret.
type retry struct {
	reason string
	err    error
}

func (e *retry) Error() string { return fmt.Sprintf("%s: %v", e.reason, e.err) }
func (e *retry) Unwrap() error { return e.err }
