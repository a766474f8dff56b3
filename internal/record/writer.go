package record

import (
	"errors"
	"time"
)

// Writer writes the recording of one session. When Append returns without an error,
// the journal has taken every event: it survives the process. After an error nothing
// more is written. It is safe for concurrent use.
type Writer struct{ options Options }

var errNotWritten = errors.New("not written yet")

// NewWriter begins a recording with its session.start.
func NewWriter(options Options) (*Writer, error) { return &Writer{options}, errNotWritten }

// Append writes events. An operation of any length becomes as many as it takes;
// EventEnd closes.
func (w *Writer) Append(events ...Event) error { return errNotWritten }

// AppendOperation writes an operation, with its verdict where that is known already.
func (w *Writer) AppendOperation(operation *Operation, verdict *Verdict) error { return errNotWritten }

// AppendResult writes a result.
func (w *Writer) AppendResult(result *Result) error { return errNotWritten }

// Sync returns when what was appended before has survived the node.
func (w *Writer) Sync() error { return errNotWritten }

// Rotate seals the open segment, if it has events.
func (w *Writer) Rotate() error { return errNotWritten }

// Due says that the open segment's oldest event is older than SegmentAge.
func (w *Writer) Due(now time.Time) bool { return false }

// Head says how far the recording goes.
func (w *Writer) Head() Head { return Head{} }

// Close seals what is open, and frees what the writer holds.
func (w *Writer) Close() error { return errNotWritten }
