package session

import (
	"time"

	"github.com/sallyport/sallyport/internal/grant"
)

// watchEvery bounds how late watch notices what has no timer of its own: idleness,
// a silent manager, a clock that was set.
const watchEvery = 250 * time.Millisecond

// watch ends sessions when their time is over, and sends reports.
func (t *Task) watch() {
	timer := time.NewTimer(watchEvery)
	defer timer.Stop()
	failures := t.options.Recorder.Failures()
	for {
		timer.Reset(t.inspect())
		select {
		case <-timer.C:
		case <-t.wake:
		case err := <-failures:
			t.recorderFailed(err)
		case <-t.stopped.Done():
			return
		}
	}
}

// poke wakes watch.
func (t *Task) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// inspect does what is due, and returns when to look again.
func (t *Task) inspect() time.Duration {
	t.mu.Lock()
	now, current := t.options.Now(), t.current.Load()
	if current.state.Phase == grant.Granted {
		if err := current.alive(now, t.options.LastContact); err != nil {
			t.endAll(err)
		}
	}
	for s := range t.sessions {
		if err := t.overdue(s, current, now); err != nil {
			s.end(err)
		}
	}
	next := watchEvery
	if current.state.Phase == grant.Granted {
		// A passed deadline needs no timer: alive has seen it.
		if left := current.endAt.Sub(now); left > 0 {
			next = min(next, left)
		}
	}
	t.mu.Unlock()
	t.sendReport()
	return next
}

// overdue is why a session alone must end now. Callers hold mu.
func (t *Task) overdue(s *Session, current *snapshot, now time.Time) error {
	since := now.Sub(s.created)
	if s.moved.Swap(false) {
		s.touched = since
	}
	select {
	case <-s.begun:
	default:
		if since > time.Duration(t.options.HandshakeSeconds)*time.Second {
			return ErrHandshake
		}
		return nil
	}
	if current.state.Grant == nil {
		return nil
	}
	idle := time.Duration(current.state.Grant.Policy.Session.IdleSeconds) * time.Second
	if idle > 0 && s.waits.Load() == 0 && since-s.touched > idle {
		return ErrIdle
	}
	return nil
}

// recorderFailed is what no session was waiting for: a store that takes nothing more.
func (t *Task) recorderFailed(err error) {
	if t.State().Recording.BestEffort {
		t.lose(err)
		return
	}
	_ = t.recordingFailed(err) // it has told the sessions
}
