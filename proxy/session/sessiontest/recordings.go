package sessiontest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
)

// ErrFull is what writing fails with after Fail.
var ErrFull = errors.New("no space left on device")

// Recordings is a store in memory.
type Recordings struct {
	mu      sync.Mutex
	files   map[string]*bytes.Buffer
	failing bool
	onWrite func([]byte)
}

var _ store.Legacy = (*Recordings)(nil)

// Fail makes every later write fail.
func (r *Recordings) Fail() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failing = true
}

// OnWrite calls hook before each write, with what is about to be written; it may block.
func (r *Recordings) OnWrite(hook func([]byte)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.onWrite = hook
}

// Create begins a recording.
func (r *Recordings) Create(_ context.Context, session string) (io.WriteCloser, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failing {
		return nil, ErrFull
	}
	if r.files[session] != nil {
		return nil, fs.ErrExist
	}
	if r.files == nil {
		r.files = map[string]*bytes.Buffer{}
	}
	r.files[session] = &bytes.Buffer{}
	return &file{r, session}, nil
}

// Open reads what is there now.
func (r *Recordings) Open(_ context.Context, session string) (io.ReadCloser, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.files[session] == nil {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(bytes.Clone(r.files[session].Bytes()))), nil
}

// List names the sessions, sorted.
func (r *Recordings) List(context.Context) ([]store.Recording, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []store.Recording
	for _, session := range slices.Sorted(maps.Keys(r.files)) {
		found = append(found, store.Recording{Session: session, Bytes: int64(r.files[session].Len())})
	}
	return found, nil
}

// Events of one session so far, or of all sessions in their order for "".
func (r *Recordings) Events(session string) ([]record.Event, error) {
	all, err := r.List(context.Background())
	if err != nil {
		return nil, err
	}
	var events []record.Event
	for _, recording := range all {
		if session != "" && recording.Session != session {
			continue
		}
		r.mu.Lock()
		lines := bytes.Split(bytes.Clone(r.files[recording.Session].Bytes()), []byte{'\n'})
		r.mu.Unlock()
		for _, line := range lines[min(1, len(lines)):] {
			if len(line) == 0 {
				continue
			}
			var event record.Event
			if err := json.Unmarshal(line, &event); err != nil {
				return nil, fmt.Errorf("event of session %s: %w", recording.Session, err)
			}
			events = append(events, event)
		}
	}
	return events, nil
}

type file struct {
	recordings *Recordings
	session    string
}

func (f *file) Write(data []byte) (int, error) {
	f.recordings.mu.Lock()
	hook := f.recordings.onWrite
	f.recordings.mu.Unlock()
	if hook != nil {
		hook(data)
	}
	f.recordings.mu.Lock()
	defer f.recordings.mu.Unlock()
	if f.recordings.failing {
		return 0, ErrFull
	}
	return f.recordings.files[f.session].Write(data)
}

func (f *file) Close() error { return nil }
