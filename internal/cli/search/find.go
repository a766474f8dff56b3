package search

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sallyport/sallyport/internal/cli/replay"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/transcript"
)

// Found is one thing that matches, and where it is.
type Found struct {
	Request string    `json:"request"`
	Session string    `json:"session"`
	Event   int64     `json:"event"`
	Time    time.Time `json:"time"`
	Task    string    `json:"task"`
	User    string    `json:"user"`
	// Kind of the operation; of other things notice, file or terminal.
	Kind    string `json:"kind"`
	Verdict string `json:"verdict,omitempty"`
	Rows    int64  `json:"rows,omitempty"`
	Text    string `json:"text"`
}

// finder looks through one session. It holds what transcript.Reader does, and the
// number of the event in which each operation began.
type finder struct {
	query   *Query
	events  *record.Reader
	found   func(Found) error
	scanned func(events int64)

	start    *record.Start
	began    map[int64]int64
	sequence int64
	seeking  bool
	// ended says that what comes now is the transcript's own.
	ended   bool
	screens map[int64]*replay.Lines
}

const (
	// tick is how many events pass between two words about the progress.
	tick = 1 << 12
	// maxScreens bounds the terminals of a session that are looked at at once.
	maxScreens = 64
	// late is how long after --until an operation may still get its verdict and result.
	late = time.Hour
)

// Next implements transcript.Events, and notes what passes.
func (f *finder) Next() (record.Event, error) {
	if f.seeking {
		f.seeking = false
		if err := f.events.SeekTime(f.query.Since); err != nil {
			return record.Event{}, err
		}
	}
	event, err := f.events.Next()
	if err != nil {
		f.ended = true
		return event, err
	}
	if event.Start != nil {
		f.seeking = f.start == nil && f.query.Since.After(event.Time)
	}
	if f.query.Until.IsZero() || !event.Time.After(f.query.Until.Add(late)) {
		f.sequence = event.Sequence
		if event.Operation != nil {
			f.began[event.Operation.ID] = event.Sequence
		}
		if f.sequence%tick == 0 {
			f.scanned(tick)
		}
		return event, nil
	}
	return event, io.EOF // nothing later matters
}

// run calls found for all that matches in the session.
func (f *finder) run() error {
	steps := transcript.NewReader(f)
	for {
		step, err := steps.Next()
		incomplete := &record.IncompleteError{}
		switch {
		case errors.Is(err, io.EOF), errors.As(err, &incomplete):
			return nil
		case err != nil:
			return err
		}
		if step.Start != nil {
			f.start = step.Start
			if !f.query.session(step.Time, step.Start) {
				return nil
			}
		}
		if err := f.step(step); err != nil {
			return err
		}
	}
}

func (f *finder) step(step transcript.Step) error {
	switch {
	case step.Kind == transcript.Done:
		return f.operation(step.Operation)
	case f.ended || f.query.operations() || f.query.Text == "" || !f.query.at(step.Time):
		return nil
	case step.Kind == transcript.Said && f.query.text(step.Notice):
		return f.tell(f.sequence, step.Time, "notice", "", step.Notice, 0)
	case step.Kind == transcript.Moved && f.query.text(step.File.Path):
		return f.tell(f.sequence, step.Time, "file", "", step.File.Op+" "+step.File.Path, step.File.Bytes)
	case step.Kind == transcript.Screen:
		return f.screen(step)
	}
	return nil
}

func (f *finder) operation(o *transcript.Operation) error {
	event, known := f.began[o.ID]
	delete(f.began, o.ID)
	delete(f.screens, o.ID)
	// One that began before --since has come here without its text.
	if !known || !f.query.operation(o) {
		return nil
	}
	verdict := o.Effect()
	if o.Hold != nil {
		verdict += " after hold"
	}
	rows := int64(0)
	if o.Result != nil {
		rows = o.Result.Rows
	}
	return f.tell(event, o.Time, o.Kind, verdict, o.Text, rows)
}

func (f *finder) screen(step transcript.Step) error {
	known := f.screens[step.Operation.ID]
	if known == nil {
		if len(f.screens) >= maxScreens {
			clear(f.screens)
		}
		known = &replay.Lines{}
		f.screens[step.Operation.ID] = known
	}
	for _, line := range known.Add(step.Output) {
		if f.query.text(line) {
			if err := f.tell(f.sequence, step.Time, "terminal", "", line, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *finder) tell(event int64, at time.Time, kind, verdict, text string, rows int64) error {
	found := Found{Event: event, Time: at, Kind: kind, Verdict: verdict, Text: text, Rows: rows}
	if f.start != nil {
		found.Request, found.Session, found.Task, found.User = f.start.Request, f.start.Session, f.start.Task, f.start.User
	}
	return f.found(found)
}

// Seek is what replay takes to begin there.
func (f Found) Seek() string { return fmt.Sprintf("#%d", f.Event) }

// Clip is the text in one line of so many characters.
func (f Found) Clip(most int) string {
	runes := []rune(strings.Join(strings.Fields(f.Text[:min(len(f.Text), 4*most)]), " "))
	if len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return string(runes)
}
