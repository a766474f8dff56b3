package replay

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/sallyport/sallyport/internal/record"
)

// The outputs that are known.
const (
	OutputText  = "text"
	OutputJSONL = "jsonl"
)

// ErrOutput is an output that is not known.
var ErrOutput = errors.New("use text or jsonl")

// Printer prints the events of one session as they come.
type Printer interface {
	Event(event record.Event) error
	// End is called once, with what ended the reading: nil for a complete session.
	End(err error) error
}

// NewPrinter makes a printer. On a terminal, what a recorded terminal was sent is drawn.
func NewPrinter(out io.Writer, output string, terminal bool) (Printer, error) {
	switch output {
	case "", OutputText:
		return newText(out, terminal), nil
	case OutputJSONL:
		return jsonLines{out}, nil
	}
	return nil, fmt.Errorf("unknown output format %q: %w", output, ErrOutput)
}

// jsonLines prints events as they were recorded, escaped where a terminal might obey.
// What was attached to an event is in its line, in base64.
type jsonLines struct{ out io.Writer }

func (j jsonLines) Event(event record.Event) error {
	attachment := attached(event)
	event.Attached, event.Checksum = 0, 0
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(event); err != nil {
		return err
	}
	line := record.PrintableJSON(bytes.TrimSuffix(encoded.Bytes(), []byte{'\n'}))
	if len(attachment) > 0 {
		line = append(line[:len(line)-1], `,"attachment":"`...)
		line = append(base64.StdEncoding.AppendEncode(line, attachment), `"}`...)
	}
	_, err := j.out.Write(append(line, '\n'))
	return err
}

func (jsonLines) End(error) error { return nil }

func attached(event record.Event) []byte {
	switch {
	case event.Output != nil:
		return event.Output.Block
	case event.Terminal != nil:
		return event.Terminal.Data
	case event.Grant != nil:
		return event.Grant.Text
	}
	return nil
}
