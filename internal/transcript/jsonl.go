package transcript

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/sallyport/sallyport/internal/record"
)

// lineExporter writes the events themselves, one on a line, with what is attached to
// them decoded.
type lineExporter struct{ out *bufio.Writer }

// line is an event, and what is attached to it.
type line struct {
	record.Event
	// Session that it is of: an export may hold several.
	Session string `json:"session"`
	// Rows of an output, of protocol "postgres"; a value is a text, or null.
	Rows [][]*record.Text `json:"rows,omitempty"`
	// Copy is the data of a COPY.
	Copy []record.Text `json:"copy,omitempty"`
	// Data is what a terminal was sent.
	Data record.Text `json:"data,omitempty"`
	// Unreadable says why an output has no rows.
	Unreadable string `json:"unreadable,omitempty"`
	// Terms are a grant's policy.
	Terms json.RawMessage `json:"terms,omitempty"`
	// Block is an output that is not of protocol "postgres".
	Block []byte `json:"block,omitempty"`
}

func (e *lineExporter) Session(events Events) error {
	rows, room := map[int64]*record.Rows{}, &record.Room{}
	start := record.Start{}
	for {
		event, err := events.Next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return errors.Join(err, e.out.Flush())
		}
		if event.Start != nil {
			start = *event.Start
		}
		// They say how the event lies in its recording, not what happened.
		event.Attached, event.Checksum = 0, 0
		l := line{Event: event, Session: start.Session}
		switch {
		case event.Output != nil && start.Protocol == protocolPostgres:
			if len(rows) >= maxOperations {
				// Of a recording that no proxy writes: results come after their rows.
				rows, room = map[int64]*record.Rows{}, &record.Room{}
			}
			l.attach(rows, room, *event.Output)
		case event.Output != nil:
			l.Block = event.Output.Block
		case event.Result != nil:
			if known := rows[event.Result.Operation]; known != nil {
				known.Forget()
			}
			delete(rows, event.Result.Operation)
		case event.Grant != nil:
			if json.Valid(event.Grant.Text) {
				l.Terms = event.Grant.Text
			}
		case event.Terminal != nil:
			l.Data = record.Text(event.Terminal.Data)
		}
		if err := e.write(l); err != nil {
			return err
		}
	}
}

func (e *lineExporter) Close() error { return e.out.Flush() }

// attach puts the rows that are whole with an output into its line, in place of the
// bytes.
func (l *line) attach(rows map[int64]*record.Rows, room *record.Room, output record.Output) {
	known := rows[output.Operation]
	if known == nil {
		known = &record.Rows{Room: room}
		rows[output.Operation] = known
	}
	found, err := known.Add(output)
	for _, row := range found {
		if row.Copy != nil {
			l.Copy = append(l.Copy, record.Text(row.Copy))
			continue
		}
		values := make([]*record.Text, len(row.Values))
		for i, value := range row.Values {
			if value != nil {
				values[i] = new(record.Text(value))
			}
		}
		l.Rows = append(l.Rows, values)
	}
	output.Data = nil
	l.Output = &output
	if err != nil {
		l.Unreadable = err.Error()
	}
}

func (e *lineExporter) write(l line) error {
	if err := writeLine(e.out, l); err != nil {
		return fmt.Errorf("write event %d: %w", l.Sequence, err)
	}
	return nil
}

// writeLine writes one line of JSON.
func writeLine(out *bufio.Writer, v any) error {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err
	}
	_, err := out.Write(append(record.PrintableJSON(bytes.TrimSuffix(line.Bytes(), []byte{'\n'})), '\n'))
	return err
}
