package sessiontest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/session"
)

// ErrFull is what writing fails with after Fail.
var ErrFull = errors.New("no space left on device")

// Recordings is a session.Recorder in memory.
type Recordings struct {
	failures chan error

	mu       sync.Mutex
	sessions map[string]*recording
	failing  bool
	onWrite  func([]byte)
	onSettle func(context.Context) error
}

var _ session.Recorder = (*Recordings)(nil)

// NewRecordings is a recorder without recordings.
func NewRecordings() *Recordings {
	return &Recordings{failures: make(chan error, 1), sessions: map[string]*recording{}}
}

// Fail makes every later write fail.
func (r *Recordings) Fail() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failing = true
}

// FailBehind tells the task that its recordings cannot be kept, while nobody writes.
func (r *Recordings) FailBehind() { r.failures <- ErrFull }

// OnWrite calls hook before each write, with the event in JSON; it may block.
func (r *Recordings) OnWrite(hook func([]byte)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.onWrite = hook
}

// OnSettle calls hook whenever a write to the target waits for what is recorded.
func (r *Recordings) OnSettle(hook func(context.Context) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.onSettle = hook
}

// Begin implements session.Recorder.
func (r *Recordings) Begin(start record.Start) (session.Recording, error) {
	r.mu.Lock()
	if r.sessions[start.Session] != nil {
		r.mu.Unlock()
		return nil, fs.ErrExist
	}
	made := &recording{recordings: r, head: record.Head{Session: start.Session}}
	if !r.failing {
		r.sessions[start.Session] = made
	}
	r.mu.Unlock()
	return made, made.Append(record.Event{Type: record.EventStart, Start: &start})
}

// Failures implements session.Recorder.
func (r *Recordings) Failures() <-chan error { return r.failures }

// Sessions that have a recording, sorted.
func (r *Recordings) Sessions() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.sessions))
}

// Bytes that all recordings take.
func (r *Recordings) Bytes() (size int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, recording := range r.sessions {
		for _, line := range recording.lines {
			size += int64(len(line.event) + len(line.block))
		}
	}
	return size
}

// Events of one session so far, or of all sessions in their order for "".
func (r *Recordings) Events(session string) ([]record.Event, error) {
	var events []record.Event
	for _, id := range r.Sessions() {
		if session != "" && id != session {
			continue
		}
		r.mu.Lock()
		lines := slices.Clone(r.sessions[id].lines)
		r.mu.Unlock()
		for _, line := range lines {
			var event record.Event
			if err := json.Unmarshal(line.event, &event); err != nil {
				return nil, fmt.Errorf("event of session %s: %w", id, err)
			}
			if event.Output != nil {
				event.Output.Block = line.block
			}
			if event.Grant != nil {
				event.Grant.Text = line.block
			}
			if event.Terminal != nil {
				event.Terminal.Data = line.block
			}
			events = append(events, event)
		}
	}
	return events, nil
}

// recording is one session's; the recordings' mu guards it.
type recording struct {
	recordings *Recordings
	lines      []line
	head       record.Head
}

// line is one event, and the block that is attached to it.
type line struct{ event, block []byte }

func (r *recording) Append(events ...record.Event) error {
	for _, event := range events {
		if err := r.append(event); err != nil {
			return err
		}
	}
	return nil
}

func (r *recording) append(event record.Event) error {
	event.Time = time.Now().UTC()
	if event.Start != nil && len(event.Start.Session) == 0 {
		return errors.New("a recording without a session")
	}
	all := r.recordings
	all.mu.Lock()
	hook := all.onWrite
	event.Sequence = r.head.Sequence + 1
	all.mu.Unlock()
	encoded, err := json.Marshal(event)
	if err != nil {
		return err
	}
	if hook != nil {
		hook(encoded)
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	switch {
	case r.head.Complete:
		return record.ErrClosed
	case all.failing:
		return ErrFull
	}
	added := line{event: encoded}
	if event.Output != nil {
		added.block = bytes.Clone(event.Output.Block)
	}
	if event.Grant != nil {
		added.block = bytes.Clone(event.Grant.Text)
	}
	if event.Terminal != nil {
		added.block = bytes.Clone(event.Terminal.Data)
	}
	r.lines = append(r.lines, added)
	hash := sha256.Sum256(append([]byte(r.head.Hash), encoded...))
	r.head.Sequence, r.head.Hash, r.head.Complete = r.head.Sequence+1, hex.EncodeToString(hash[:]), event.Type == record.EventEnd
	return nil
}

func (r *recording) AppendOperation(operation *record.Operation, verdict *record.Verdict) error {
	return r.append(record.Event{Type: record.EventOperation, Operation: operation, Verdict: verdict})
}

func (r *recording) AppendResult(result *record.Result) error {
	return r.append(record.Event{Type: record.EventResult, Result: result})
}

func (r *recording) Settle(ctx context.Context) error {
	r.recordings.mu.Lock()
	hook := r.recordings.onSettle
	r.recordings.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(ctx)
}

func (r *recording) Head() record.Head {
	r.recordings.mu.Lock()
	defer r.recordings.mu.Unlock()
	return r.head
}

func (r *recording) Sealed() (record.Signature, bool) { return record.Signature{}, false }

func (r *recording) Close() error { return nil }
