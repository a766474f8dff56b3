package replay

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"

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

// jsonLines prints events as they were recorded, in ASCII where a terminal might obey.
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
	line := ASCII(bytes.TrimSuffix(encoded.Bytes(), []byte{'\n'}))
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

// ASCII escapes what is not printable in encoded JSON, where it stands in strings alone.
func ASCII(encoded []byte) []byte {
	out := make([]byte, 0, len(encoded))
	for len(encoded) > 0 {
		r, size := utf8.DecodeRune(encoded)
		switch {
		case unicode.IsPrint(r):
			out = append(out, encoded[:size]...)
		case r > 0xffff:
			high, low := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		encoded = encoded[size:]
	}
	return out
}
