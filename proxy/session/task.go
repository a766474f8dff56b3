package session

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/mask"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/internal/record/store"
)

// Dialer connects to the target that a grant names and authenticates there. The
// connection's concrete type is the protocol's own.
type Dialer func(ctx context.Context, g grant.Grant, attributes map[string]string) (net.Conn, error)

// Options are what a Task is wired with.
type Options struct {
	// Protocol that the sessions speak: Engine.Protocol.
	Protocol string
	// Recordings of this task.
	Recordings store.Legacy
	Dial       Dialer
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

	// reporting keeps reports in their order.
	reporting sync.Mutex

	mu    sync.Mutex
	state grant.State
	// policy of the state's grant; nil while there is none.
	policy *policy.Policy
	// masks of that policy, keyed for this task.
	masks *mask.Set
	// endAt is the grant's deadline on the monotonic clock, so that a clock that is
	// set back buys no time.
	endAt time.Time
	// changed is closed, and replaced, at every update.
	changed  chan struct{}
	sessions map[*Session]struct{}
	counters counters
	// holds is how many operations wait for reviewers.
	holds  int
	closed bool
}

// NewTask starts a task that waits for its first Update.
func NewTask(options Options) (*Task, error) {
	if options.Recordings == nil || options.Dial == nil || options.Certificate == nil ||
		options.Protocol == "" || options.Now == nil {
		return nil, errors.New("a task needs Protocol, Recordings, Dial, Certificate and Now")
	}
	if options.HandshakeSeconds == 0 {
		options.HandshakeSeconds = 15
	}
	t := &Task{
		options: options,
		// Each token costs the manager a TokenReview.
		tokens:   rate.NewLimiter(5, 10),
		wake:     make(chan struct{}, 1),
		state:    grant.State{Phase: grant.Waiting, Wait: "the proxy has not heard from the manager yet"},
		changed:  make(chan struct{}),
		sessions: map[*Session]struct{}{},
	}
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
func (t *Task) State() grant.State {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state
}

// Update takes a newer state. The phase never goes back; a state that is another
// task's, or whose policy cannot be enforced here, ends the task.
func (t *Task) Update(state grant.State) {
	compiled, state := t.compile(state)
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.state.Task.RequestUID; known != "" && known != state.Task.RequestUID {
		state = t.state
		state.Phase, state.Reason = grant.Ended, "the manager named another request"
	}
	if order(state.Phase) < order(t.state.Phase) || t.state.Phase == grant.Ended {
		t.options.Log.Info("Ignored a state that goes back", "from", t.state.Phase, "to", state.Phase)
		return
	}
	if state.Grant != nil {
		t.endAt = t.monotonic(state.Grant.Deadline)
	}
	t.state, t.policy, t.masks = state, compiled, masksOf(compiled, state)
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
	if err != nil {
		t.options.Log.Error(err, "The policy cannot be enforced", "policy", state.Grant.PolicyName)
		state.Phase, state.Grant = grant.Ended, nil
		state.Reason = "this proxy cannot enforce the policy: " + err.Error()
		return nil, state
	}
	return compiled, state
}

// monotonic is the deadline on the monotonic clock. The same deadline again is never
// later than before. Callers hold mu.
func (t *Task) monotonic(deadline time.Time) time.Time {
	now := t.options.Now()
	at := now.Add(deadline.Sub(now.Round(0)))
	if t.state.Grant != nil && t.state.Grant.Deadline.Equal(deadline) && t.endAt.Before(at) {
		return t.endAt
	}
	return at
}

// takeHold takes one of the places of held operations; leave gives it back.
func (t *Task) takeHold() (leave func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state.Grant == nil {
		return nil, ErrNotGranted
	}
	if t.holds >= policy.MaxOpen(t.state.Grant.Policy) {
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

// alive is nil while operations may pass. Callers hold mu.
func (t *Task) alive(now time.Time) error {
	switch {
	case t.state.Phase == grant.Ended:
		return &EndedError{t.state.Reason}
	case t.closed:
		return ErrShutdown
	case t.state.Phase != grant.Granted:
		return ErrNotGranted
	// Both clocks: the wall's may be set back, the monotonic one sleeps with the machine.
	case !now.Before(t.endAt) || !now.Round(0).Before(t.state.Grant.Deadline):
		return &EndedError{"its time is over"}
	case t.controlLost(now):
		return ErrControlLost
	}
	return nil
}

func (t *Task) usable() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.alive(t.options.Now())
}

// granted is the grant, of a task that is alive: one that has ended has none.
func (t *Task) granted() (grant.Grant, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.alive(t.options.Now()); err != nil {
		return grant.Grant{}, err
	}
	return *t.state.Grant, nil
}

func (t *Task) controlLost(now time.Time) bool {
	if t.options.LastContact == nil || t.state.Grant == nil {
		return false
	}
	loss := time.Duration(t.state.Grant.Policy.Session.ControlLossSeconds) * time.Second
	if loss <= 0 {
		loss = time.Minute
	}
	return now.Sub(t.options.LastContact()) > loss
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
	failure := fmt.Errorf("%w: %w", ErrRecording, err)
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
	defer t.reportNow()
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
