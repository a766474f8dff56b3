package session

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/policy"
)

// Dialer connects to the target that a grant names and authenticates there. The
// connection's concrete type is the protocol's own.
type Dialer func(ctx context.Context, g grant.Grant, attributes map[string]string) (net.Conn, error)

// Options are what a Task is wired with.
type Options struct {
	// Protocol that the sessions speak: Engine.Protocol.
	Protocol string
	// Recorder keeps this task's recordings.
	Recorder Recorder
	Dial     Dialer
	// Certificate is this task's, for tls.Config.GetCertificate.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Authenticate says whose token it is. Nil takes no tokens.
	Authenticate func(ctx context.Context, token grant.Secret) (username string, err error)
	// Report takes the newest report: at once when a session has ended, else at most
	// every half second. It must not block. Nil reports nothing.
	Report func(Report)
	// Hold puts held operations before reviewers; nil denies them in words.
	Hold Holder
	// LastContact is when the manager was last heard of; nil is a task without one.
	LastContact func() time.Time
	// HandshakeSeconds bounds the time from connection to Begin; 15 by default.
	HandshakeSeconds int32
	Log              logr.Logger
	// Now is the clock, with a monotonic reading.
	Now func() time.Time
}

// Task is what all sessions of a process share: the newest state, its compiled
// policy, and the reasons to end. Close it to end and join everything.
type Task struct {
	options Options
	tokens  *rate.Limiter
	stop    context.CancelFunc
	watched sync.WaitGroup
	wake    chan struct{}
	stopped context.Context

	// current is the newest state and its policy; only Update replaces it.
	current atomic.Pointer[snapshot]

	// reporting keeps reports in their order, and guards reported, the newest.
	reporting sync.Mutex
	reported  Report

	mu sync.Mutex
	// changed is closed, and replaced, at every update.
	changed  chan struct{}
	sessions map[*Session]struct{}
	// active and total sessions, and those that have left.
	active, total int32
	past          past
	audits        auditRing
	lost          loss
	// urgent says that a report is due at once.
	urgent     bool
	reportedAt time.Time
	// holds is how many operations wait for reviewers.
	holds  int
	closed bool
}

// NewTask starts a task that waits for its first Update.
func NewTask(options Options) (*Task, error) {
	if options.Recorder == nil || options.Dial == nil || options.Certificate == nil ||
		options.Protocol == "" || options.Now == nil {
		return nil, errors.New("a task needs Protocol, Recorder, Dial, Certificate and Now")
	}
	if options.HandshakeSeconds == 0 {
		options.HandshakeSeconds = 15
	}
	t := &Task{
		options: options,
		// Each token costs the manager a TokenReview.
		tokens:   rate.NewLimiter(5, 10),
		wake:     make(chan struct{}, 1),
		changed:  make(chan struct{}),
		sessions: map[*Session]struct{}{},
	}
	t.current.Store(newSnapshot(grant.State{Phase: grant.Waiting, Wait: "the proxy has not heard from the manager yet"}, nil, nil, time.Time{}))
	t.stopped, t.stop = context.WithCancel(context.Background())
	t.watched.Go(t.watch)
	return t, nil
}

// NewSession is one client's connection, which whoever calls must Close. Of a task
// that is over, Begin tells, in the client's own protocol.
func (t *Task) NewSession(remote net.Addr) *Session {
	s := newSession(t, remote)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sessions[s] = struct{}{}
	if t.closed {
		s.end(ErrShutdown)
	}
	return s
}

// State is the newest state.
func (t *Task) State() grant.State { return t.current.Load().state }

// Update takes a newer state. The phase never goes back; a state that is another
// task's, or whose policy cannot be enforced here, ends the task.
func (t *Task) Update(state grant.State) {
	compiled, state := t.compile(state)
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.current.Load()
	if known := before.state.Task.RequestUID; known != "" && known != state.Task.RequestUID {
		state = before.state
		state.Phase, state.Reason = grant.Ended, "the manager named another request"
	}
	if order(state.Phase) < order(before.state.Phase) || before.state.Phase == grant.Ended {
		t.options.Log.Info("Ignored a state that goes back", "from", before.state.Phase, "to", state.Phase)
		return
	}
	endAt := before.endAt
	if state.Grant != nil {
		endAt = t.monotonic(before, state.Grant.Deadline)
	}
	words, err := terms(before.terms, state.Grant)
	if err != nil {
		t.options.Log.Error(err, "The policy cannot be recorded", "policy", state.Grant.PolicyName)
		state.Phase, state.Grant, state.Reason = grant.Ended, nil, "this proxy cannot record the policy"
	}
	t.current.Store(newSnapshot(state, compiled, words, endAt))
	if state.Phase == grant.Ended {
		t.endAll(&EndedError{state.Reason})
	}
	close(t.changed)
	t.changed = make(chan struct{})
	t.poke()
}

// compile returns the policy of a granted state, or the state ended.
func (t *Task) compile(state grant.State) (*policy.Policy, grant.State) {
	switch {
	case state.Phase == grant.Waiting, state.Phase == grant.Ended:
		state.Grant = nil
		return nil, state
	case state.Phase != grant.Granted || state.Grant == nil:
		state.Phase, state.Reason = grant.Ended, fmt.Sprintf("this proxy does not know phase %q", state.Phase)
		return nil, state
	}
	compiled, err := policy.Compile(state.Grant.PolicyName, state.Grant.Policy)
	if want := state.Grant.Policy.Recording.Durability; err == nil && want != "" && want != durability(state.Recording) {
		err = fmt.Errorf("it wants durability %s, and the manager said %s", want, durability(state.Recording))
	}
	if err != nil {
		t.options.Log.Error(err, "The policy cannot be enforced", "policy", state.Grant.PolicyName)
		state.Phase, state.Grant = grant.Ended, nil
		state.Reason = "this proxy cannot enforce the policy: " + err.Error()
		return nil, state
	}
	return compiled, state
}

func durability(how grant.Recording) v1alpha1.Durability {
	return cmp.Or(how.Durability, v1alpha1.DurabilityProcess)
}

// monotonic is the deadline on the monotonic clock. The same deadline again is never
// later than before.
func (t *Task) monotonic(before *snapshot, deadline time.Time) time.Time {
	now := t.options.Now()
	at := now.Add(deadline.Sub(now.Round(0)))
	if before.state.Grant != nil && before.state.Grant.Deadline.Equal(deadline) && before.endAt.Before(at) {
		return before.endAt
	}
	return at
}

// takeHold takes one of the places of held operations; leave gives it back.
func (t *Task) takeHold() (leave func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	granted := t.current.Load().state.Grant
	if granted == nil {
		return nil, ErrNotGranted
	}
	if t.holds >= policy.MaxOpen(granted.Policy) {
		return nil, fmt.Errorf("%w: the task has %d operations before its reviewers already", control.ErrHoldRefused, t.holds)
	}
	t.holds++
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.holds--
	}, nil
}

// own runs what Close then waits for.
func (t *Task) own(run func()) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return ErrShutdown
	}
	t.watched.Go(run)
	return nil
}

func order(phase grant.Phase) int {
	return slices.Index([]grant.Phase{grant.Waiting, grant.Granted, grant.Ended}, phase)
}

// usable is nil while operations may pass.
func (t *Task) usable() error { return t.current.Load().alive(t.options.Now(), t.options.LastContact) }

// granted is the grant, of a task that is alive: one that has ended has none.
func (t *Task) granted() (grant.Grant, error) {
	now := t.current.Load()
	if err := now.alive(t.options.Now(), t.options.LastContact); err != nil {
		return grant.Grant{}, err
	}
	return *now.state.Grant, nil
}

// endAll ends every session that has begun; one that has not hears of it from Begin,
// in the client's own protocol. Callers hold mu.
func (t *Task) endAll(cause error) {
	for s := range t.sessions {
		if s.entered {
			s.end(cause)
		}
	}
}

// recordingFailed ends every session: what cannot be recorded does not happen.
func (t *Task) recordingFailed(err error) error {
	failure := &recordingError{err}
	t.options.Log.Error(err, "Recording failed: all sessions end")
	t.mu.Lock()
	defer t.mu.Unlock()
	t.endAll(failure)
	return failure
}

// Drain waits until the sessions that are open now have been closed by their owners,
// or for ctx, and reports what has become of them before it returns.
func (t *Task) Drain(ctx context.Context) error {
	t.mu.Lock()
	open := slices.Collect(maps.Keys(t.sessions))
	t.mu.Unlock()
	defer t.Report()
	for _, s := range open {
		select {
		case <-s.gone:
		case <-ctx.Done():
			return fmt.Errorf("sessions still open: %w", ctx.Err())
		}
	}
	return nil
}

// Close ends all sessions for good, and drains.
func (t *Task) Close(ctx context.Context) error {
	t.mu.Lock()
	t.closed = true
	for s := range t.sessions {
		s.end(ErrShutdown)
	}
	t.mu.Unlock()
	err := t.Drain(ctx)
	t.stop()
	t.watched.Wait()
	return err
}
