// Package replay prints recordings for people, and for programs.
package replay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"

	"github.com/sallyport/sallyport/internal/record"
)

// The outputs that Run knows.
const (
	OutputText  = "text"
	OutputJSONL = "jsonl"
)

// ErrOutput is an output that Run does not know.
var ErrOutput = errors.New("output is text or jsonl")

// Run prints one recording as it reads it, and checks its chain on the way. The
// error is an *record.IncompleteError for a session without an end, and a
// *record.CorruptError where the recording cannot be believed any more: what came
// before has been printed.
func Run(out io.Writer, in io.Reader, output string) error {
	render, ok := map[string]func(io.Writer, *record.FileReader) error{
		"": text, OutputText: text, OutputJSONL: jsonLines,
	}[output]
	if !ok {
		return fmt.Errorf("%q: %w", output, ErrOutput)
	}
	reader, err := record.NewFileReader(in)
	if err != nil {
		return err
	}
	return render(out, reader)
}

// jsonLines prints events as they were recorded, in ASCII where a terminal might
// obey.
func jsonLines(out io.Writer, reader *record.FileReader) error {
	for {
		event, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var line bytes.Buffer
		encoder := json.NewEncoder(&line)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(event); err != nil {
			return err
		}
		if _, err := out.Write(append(ascii(bytes.TrimSuffix(line.Bytes(), []byte{'\n'})), '\n')); err != nil {
			return err
		}
	}
}

// ascii escapes what is not printable, which in JSON stands in strings alone.
func ascii(encoded []byte) []byte {
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
