package session

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/internal/record"
)

// Recorder keeps the recordings of a task's sessions (package keeper).
type Recorder interface {
	// Begin opens the recording of a session.
	Begin(start record.Start) (Recording, error)
	// Failures tell, at any time, that recordings of the task cannot be kept any more.
	Failures() <-chan error
}

// Recording is one session's. Its methods may be called at the same time, and keep
// nothing that they are given.
type Recording interface {
	// Append writes events. When it has returned they survive the process. After
	// record.EventEnd, and after Close, it fails with record.ErrClosed.
	Append(events ...record.Event) error
	AppendOperation(*record.Operation, *record.Verdict) error
	AppendResult(*record.Result) error
	// Settle returns when what was appended before has survived what the durability
	// names. Results and output do not wait for that: they have happened.
	Settle(ctx context.Context) error
	Head() record.Head
	// Sealed is the newest segment that the manager has signed, if there is one.
	Sealed() (record.Signature, bool)
	Close() error
}

// begun is what a session has once Begin has returned.
type begun struct {
	// recording is nil where none could be opened and the policy takes that.
	recording Recording
	facts     policy.SessionContext
	how       grant.Recording
	// terms are the newest that are recorded; telling keeps their events in order.
	terms   atomic.Pointer[record.Grant]
	telling sync.Mutex
}

// append writes to the recording.
func (s *Session) append(events ...record.Event) error {
	b := s.begunWith.Load()
	switch {
	case b == nil:
		return errNotBegun
	case b.recording == nil:
		return s.notRecorded(b, errNoRecording)
	}
	return s.notRecorded(b, b.recording.Append(events...))
}

func (s *Session) appendOperation(b *begun, operation *record.Operation, verdict *record.Verdict) error {
	if b.recording == nil {
		return s.notRecorded(b, errNoRecording)
	}
	return s.notRecorded(b, b.recording.AppendOperation(operation, verdict))
}

// errNoRecording is a session that could not be recorded from its beginning.
var errNoRecording = errors.New("its recording could not be opened")

// errCut is a way to the target that has ended.
var errCut = errors.New("nothing goes to the target any more")

// notRecorded is nil where nothing has failed, and where the policy lets sessions go on
// that cannot be recorded; else all sessions of the task end.
func (s *Session) notRecorded(b *begun, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, record.ErrClosed):
		return err
	case b.how.BestEffort:
		s.task.lose(err)
		return nil
	}
	return s.task.recordingFailed(err)
}

// settle waits until what is about to run is recorded as the policy wants it.
func (s *Session) settle() error {
	b := s.begunWith.Load()
	if b == nil {
		return errNotBegun
	}
	if b.recording == nil {
		return nil
	}
	way := s.way()
	err := b.recording.Settle(way)
	if way.Err() != nil {
		return cmp.Or(context.Cause(s.context), errCut)
	}
	return s.notRecorded(b, err)
}
