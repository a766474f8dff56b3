package recording

import (
	"context"
	"errors"
	"io"
	"math"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/task"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
)

// State of a session's recording.
type State string

// The states. Only verify says whether a recording is what was written.
const (
	// Complete ends with session.end.
	Complete State = "Complete"
	// Live has no end yet, and its request is open.
	Live State = "Live"
	// Incomplete has no end, and will have none: its proxy died.
	Incomplete State = "Incomplete"
	// Encrypted cannot be read without an identity.
	Encrypted State = "Encrypted"
	// Unreadable is corrupt, of a later version, or not to be had.
	Unreadable State = "Unreadable"
)

// Overview is what a session was, in one row.
type Overview struct {
	Session string        `json:"session"`
	Start   *record.Start `json:"start,omitempty"`
	Began   time.Time     `json:"began,omitzero"`
	// Last event's time.
	Last time.Time `json:"last,omitzero"`
	// Events and Operations, of those Refused and Held.
	Events     int64 `json:"events"`
	Operations int64 `json:"operations"`
	Refused    int64 `json:"refused"`
	Held       int64 `json:"held"`
	// Counted says that every event was read: else Held is not known, nor, without an
	// end, are the others.
	Counted bool `json:"counted"`
	// Bytes that it takes; Segments, and how many have a signature beside them.
	Bytes    int64  `json:"bytes"`
	Segments int    `json:"segments"`
	Signed   int    `json:"signed"`
	State    State  `json:"state"`
	Problem  string `json:"problem,omitempty"`
}

// countBelow is the size up to which a recording is read whole for its overview.
const countBelow = 16 << 20

// Look reads what a session was. A long one is not read whole, unless count says so.
func (o *Opened) Look(ctx context.Context, t *Task, session string, count bool) Overview {
	v := Overview{Session: session}
	objects, err := t.List(ctx, session)
	if err != nil {
		v.State, v.Problem = Unreadable, err.Error()
		return v
	}
	for _, object := range objects {
		name, err := store.ParseName(object.Name)
		if err != nil {
			continue
		}
		switch name.Kind {
		case store.KindSignature:
			v.Signed++
			continue
		case store.KindSegment, store.KindLegacy:
			v.Segments++
		case store.KindJournal:
		}
		v.Bytes += object.Size
	}
	events, err := o.Events(ctx, t, session)
	if err == nil {
		err = v.read(events, count || v.Bytes <= countBelow)
		err = errors.Join(err, events.Close())
	}
	v.judge(err, t.Request)
	return v
}

// read reads all events, or the first and the last.
func (v *Overview) read(events *record.Reader, all bool) error {
	v.Counted = all
	for {
		event, err := events.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		v.take(event)
		if !all {
			all = true
			if err := SeekLast(events); err != nil {
				return err
			}
		}
	}
}

// SeekLast makes the last event that there is the next one. It reads the last segment.
func SeekLast(events *record.Reader) error {
	if err := events.SeekEvent(math.MaxInt64); err != nil {
		return err
	}
	// Nothing is wanted, but all of it is passed.
	_, err := events.Next()
	incomplete := &record.IncompleteError{}
	if err != nil && !errors.Is(err, io.EOF) && !errors.As(err, &incomplete) {
		return err
	}
	return events.SeekEvent(events.Head().Sequence)
}

func (v *Overview) take(event record.Event) {
	if event.Start != nil {
		v.Start, v.Began = event.Start, event.Time
	}
	v.Last, v.Events = event.Time, event.Sequence
	if event.Operation != nil {
		v.Operations++
	}
	if event.Verdict != nil && event.Verdict.Effect == "Deny" {
		v.Refused++
	}
	if event.Hold != nil && event.Hold.Outcome == "" {
		v.Held++
	}
	if end := event.End; end != nil {
		v.State = Complete
		v.Operations, v.Refused = end.Allowed+end.Refused, end.Refused
	}
}

func (v *Overview) judge(err error, request *v1alpha1.TaskAccessRequest) {
	incomplete := &record.IncompleteError{}
	switch {
	case v.State == Complete && err == nil:
	case errors.Is(err, record.ErrEncrypted):
		v.State = Encrypted
	case err != nil && !errors.As(err, &incomplete):
		v.State, v.Problem = Unreadable, err.Error()
	case request != nil && !task.Over(request):
		v.State = Live
	default:
		v.State = Incomplete
	}
}
