package transcript

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// The formats of an export.
const (
	FormatAsciicast = "asciicast"
	FormatJSONL     = "jsonl"
	FormatCSV       = "csv"
	FormatHTML      = "html"
)

// Formats are all of them, as help prints them.
var Formats = []string{FormatAsciicast, FormatJSONL, FormatCSV, FormatHTML}

// ErrFormat is a format that there is not.
var ErrFormat = errors.New("the formats are asciicast, jsonl, csv and html")

// Exporter writes sessions, one after the other.
type Exporter interface {
	// Session writes one session to its end. Its error is the events' own, which stands
	// in the export as well, or that of writing.
	Session(events Events) error
	// Close writes what stands at the end of all.
	Close() error
}

// NewExporter writes a format. An asciicast holds one session and no more.
func NewExporter(format string, out io.Writer) (Exporter, error) {
	w := bufio.NewWriterSize(out, 64<<10)
	switch format {
	case FormatAsciicast:
		return &castExporter{out: w}, nil
	case FormatJSONL:
		return &lineExporter{out: w}, nil
	case FormatCSV:
		return newTable(w), nil
	case FormatHTML:
		return newPage(w)
	}
	return nil, fmt.Errorf("%q: %w", format, ErrFormat)
}

// each reads steps to their end.
func each(events Events, step func(Step) error) error {
	reader := NewReader(events)
	for {
		s, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := step(s); err != nil {
			return err
		}
	}
}
