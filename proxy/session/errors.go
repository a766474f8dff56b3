package session

import (
	"errors"

	"github.com/sallyport/sallyport/internal/policy"
)

// Refusal is an operation refused by policy: nothing of it has reached the
// target, and the session stays usable. Any other error of Admit ends the session.
type Refusal struct {
	Decision policy.Decision
	// Request is the name of the request, for the hint.
	Request string
}

// Error says which policy and rule refused, and why.
func (r *Refusal) Error() string {
	return "refused by policy " + r.Decision.Policy + ", rule " + r.Decision.Rule + ": " + r.Decision.Message
}

// EndedError is a task that is over, and why. It is an ErrEnded.
type EndedError struct {
	// Reason in one line: "closed by alice".
	Reason string
}

// Error says why.
func (e *EndedError) Error() string {
	if e.Reason == "" {
		return ErrEnded.Error()
	}
	return ErrEnded.Error() + ": " + e.Reason
}

// Is matches ErrEnded.
func (e *EndedError) Is(target error) bool { return target == ErrEnded }

// Why a session ends or never begins: context.Cause of its context, each fit to be
// told to the client.
var (
	// ErrEnded is a task that is over.
	ErrEnded = errors.New("the task is over")
	// ErrNotRequester is a client who is not the requester of this task.
	ErrNotRequester = errors.New("this proxy serves another person's task")
	// ErrNotAuthenticated is a client who has not proved who they are.
	ErrNotAuthenticated = errors.New("no proof of who you are: use a key that the request names, or a token made for it")
	// ErrTooManyAttempts is a client who fails to authenticate again and again.
	ErrTooManyAttempts = errors.New("too many attempts to authenticate")
	// ErrTooManySessions is a task with as many sessions as its policy allows.
	ErrTooManySessions = errors.New("the task has as many sessions as its policy allows: end one, then connect again")
	// ErrNotGranted is an operation before the grant.
	ErrNotGranted = errors.New("the task is not granted yet")
	// ErrControlLost is a manager that has been silent for too long.
	ErrControlLost = errors.New("the proxy has lost its manager, and may not go on without it: connect again later")
	// ErrIdle is a session that moved no byte for too long.
	ErrIdle = errors.New("the session was idle for longer than its policy allows")
	// ErrHandshake is a client that did not authenticate in time.
	ErrHandshake = errors.New("the client took too long to authenticate")
	// ErrRecording is a recording that cannot be written.
	ErrRecording = errors.New("the session cannot be recorded, and so may not go on")
	// ErrShutdown is a proxy that stops.
	ErrShutdown = errors.New("the proxy is shutting down")
)

// recordingError is why recording has failed, for the log: a client is not told where
// recordings are kept.
type recordingError struct{ cause error }

func (*recordingError) Error() string {
	return ErrRecording.Error() + ": the log of the task's proxy says why"
}

func (e *recordingError) Unwrap() []error { return []error{ErrRecording, e.cause} }
