package transcript

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/internal/record"
)

// castExporter writes asciicast v2 (https://docs.asciinema.org/manual/asciicast/v2):
// what terminals were sent, as it was sent but for what Filter drops; the statements of
// other sessions as a transcript.
type castExporter struct {
	out  *bufio.Writer
	used bool
}

// errOneSession is a second session for one asciicast.
var errOneSession = errors.New("an asciicast holds one session: name it with --session")

func (e *castExporter) Close() error { return e.out.Flush() }

func (e *castExporter) Session(events Events) error {
	if e.used {
		return errOneSession
	}
	e.used = true
	c := &cast{out: e.out, width: transcriptWidth, height: transcriptHeight, filters: map[int64]*Filter{}}
	err := each(events, c.step)
	return errors.Join(err, c.header(), e.out.Flush())
}

const (
	// The size of a terminal of which nothing is known, and that of a transcript.
	terminalWidth, terminalHeight     = 80, 24
	transcriptWidth, transcriptHeight = 120, 40
	// maxWaiting is how many steps may come before a terminal says its size.
	maxWaiting = 256
)

// cast is one session as an asciicast.
type cast struct {
	out           *bufio.Writer
	start         record.Start
	began         time.Time
	width, height int
	written       bool
	// terminal says that the session shows its terminals, and markers for the rest.
	terminal bool
	waiting  []Step
	filters  map[int64]*Filter
	prompt   prompt
}

// step writes a step; until the size of the terminal is known, it waits.
func (c *cast) step(s Step) error {
	if s.Kind == Begin {
		c.start, c.began = *s.Start, s.Time
		c.terminal = c.start.Protocol != protocolPostgres
		if c.terminal {
			c.width, c.height = terminalWidth, terminalHeight
		}
	}
	if c.terminal && !c.written {
		switch {
		case s.Kind == Resized:
			c.width, c.height = s.Width, s.Height
		case s.Kind != Screen && len(c.waiting) < maxWaiting:
			c.waiting = append(c.waiting, s)
			return nil
		}
	}
	if err := c.header(); err != nil {
		return err
	}
	return c.write(s)
}

// header writes the first line, and the steps that waited for it.
func (c *cast) header() error {
	if c.written {
		return nil
	}
	c.written = true
	header := struct {
		Version   int    `json:"version"`
		Width     int    `json:"width"`
		Height    int    `json:"height"`
		Timestamp int64  `json:"timestamp,omitempty"`
		Title     string `json:"title"`
	}{2, c.width, c.height, 0, record.PrintableLine(fmt.Sprintf("%s on %s, task %s, session %s", c.start.User, c.start.Target, c.start.Task, c.start.Session))}
	if !c.began.IsZero() {
		header.Timestamp = c.began.Unix()
	}
	if err := c.line(header); err != nil {
		return err
	}
	waiting := c.waiting
	c.waiting = nil
	for _, s := range waiting {
		if err := c.write(s); err != nil {
			return err
		}
	}
	return nil
}

func (c *cast) write(s Step) error {
	switch {
	case s.Kind == Screen:
		filter := c.filters[s.Operation.ID]
		if filter == nil {
			filter = &Filter{}
			c.filters[s.Operation.ID] = filter
		}
		return c.event(s, "o", string(filter.Write(s.Output)))
	case s.Kind == Resized:
		return c.event(s, "r", fmt.Sprintf("%dx%d", s.Width, s.Height))
	case s.Kind == Done:
		delete(c.filters, s.Operation.ID)
		return nil
	case c.terminal:
		return c.event(s, "m", marker(s))
	}
	return c.event(s, "o", c.prompt.text(s))
}

// event is a line [seconds, code, data]; one without data is none.
func (c *cast) event(s Step, code, data string) error {
	if data == "" {
		return nil
	}
	return c.line([]any{json.Number(fmt.Sprintf("%.6f", s.At.Seconds())), code, data})
}

func (c *cast) line(v any) error {
	if err := writeLine(c.out, v); err != nil {
		return fmt.Errorf("write the asciicast: %w", err)
	}
	return nil
}

// marker is what a step beside a terminal is called on a player's timeline.
func marker(s Step) string {
	const most = 200
	var text string
	switch s.Kind {
	case Asked:
		text = s.Operation.Kind + " " + s.Operation.Text
	case Granted:
		text = s.Grant.Words()
	case Held:
		text = held(s.Hold)
	case Decided:
		if s.Verdict.Effect == "Allow" {
			return ""
		}
		text = decided(s.Verdict)
	case Moved:
		text = s.File.Op + " " + s.File.Path
	case Said:
		text = s.Notice
	case End:
		text = "ended: " + s.End.Reason
	default: // what needs no marker
	}
	text, _ = clip(record.PrintableLine(text), most)
	return text
}
