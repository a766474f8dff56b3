package record

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"
	"time"
)

// flushSize is when a batch is written although it goes on: it bounds the buffer.
const flushSize = 256 << 10

// lateBy is how long an event of AppendLater waits for one to be written with, at most.
const lateBy = 100 * time.Millisecond

// FileWriter writes the recording of one session. When Append returns without an error,
// out has taken every byte of it: with a file that is durability Process. After an
// error nothing more is written. It is safe for concurrent use.
type FileWriter struct {
	out io.Writer
	now func() time.Time

	mu     sync.Mutex
	buffer bytes.Buffer
	// head is the newest event's link, written the newest that out has taken.
	head, written Head
	hash          Hash
	failed        error
	// late writes what AppendLater has left; pending says that it will.
	late    *time.Timer
	pending bool
}

// NewFileWriter begins a recording on out, which must be empty, with header and start.
// now is the clock of the events.
func NewFileWriter(out io.Writer, start Start, now func() time.Time) (*FileWriter, error) {
	if err := errors.Join(CheckIdentifier(start.Session), CheckIdentifier(start.RequestUID)); err != nil {
		return nil, err
	}
	header, err := json.Marshal(Header{formatName, fileVersion, start.Session, start.RequestUID})
	if err != nil {
		return nil, err
	}
	w := &FileWriter{out: out, now: now, hash: headerHash(fileVersion, header), head: Head{Session: start.Session}}
	w.buffer.Write(header)
	w.buffer.WriteByte('\n')
	start = boundedStart(start)
	return w, w.append(slices.Values([]Event{{Type: EventStart, Start: &start}}), w.write)
}

// Append writes events, as a batch where they are small, and returns the new head.
// An event EventOperation of any length becomes as many as it takes; EventEnd closes.
func (w *FileWriter) Append(events ...Event) (Head, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.append(parts(events), w.write)
	return w.written, err
}

// AppendLater takes an event of what has happened already, and need not keep anything
// waiting: it is written with the next Append, or a tenth of a second later. Where that
// fails the next call says so.
func (w *FileWriter) AppendLater(event Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.append(parts([]Event{event}), w.writeSoon)
}

func (w *FileWriter) writeSoon() error {
	switch {
	case w.pending:
	case w.late == nil:
		w.late = time.AfterFunc(lateBy, w.writeLate)
	default:
		w.late.Reset(lateBy)
	}
	w.pending = true
	return nil
}

// writeLate is the timer's. When the recording has its end there is nothing left.
func (w *FileWriter) writeLate() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = false
	if w.failed == nil && w.buffer.Len() > 0 {
		_ = w.write() // the next call tells
	}
}

// parts are events as they are written.
func parts(events []Event) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for _, event := range events {
			if event.Type != EventOperation {
				if !yield(bounded(event)) {
					return
				}
				continue
			}
			for part := range split(*event.Operation) {
				if !yield(part) {
					return
				}
			}
		}
	}
}

// Head is the newest link that is written.
func (w *FileWriter) Head() Head {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.written
}

// append encodes events, and then has them written.
func (w *FileWriter) append(events iter.Seq[Event], write func() error) error {
	if w.failed != nil {
		return w.failed
	}
	if w.head.Complete {
		return ErrClosed
	}
	head, hash := w.head, w.hash
	for event := range events {
		head.Sequence++
		event.Sequence, event.Time = head.Sequence, w.now().UTC()
		if err := w.encode(event, &hash); err != nil {
			return w.fail(err)
		}
		head.Complete = event.Type == EventEnd
		if w.buffer.Len() >= flushSize {
			if err := w.flush(); err != nil {
				return w.fail(err)
			}
		}
	}
	w.head, w.hash = head, hash
	return write()
}

// write writes what is encoded.
func (w *FileWriter) write() error {
	if err := w.flush(); err != nil {
		return w.fail(err)
	}
	w.written = w.head
	w.written.Hash = w.hash.String()
	return nil
}

// encode appends the event's line to the buffer, and moves the chain on.
func (w *FileWriter) encode(event Event, hash *Hash) error {
	begin := w.buffer.Len()
	if line, ok := appendEvent(w.buffer.AvailableBuffer(), &event); ok {
		w.buffer.Write(line)
	} else if err := marshal(&w.buffer, &event); err != nil {
		return fmt.Errorf("encode event %d: %w", event.Sequence, err)
	}
	w.buffer.Truncate(w.buffer.Len() - len("}"))
	*hash = eventHash(fileVersion, *hash, w.buffer.Bytes()[begin:])
	w.buffer.WriteString(hashPrefix)
	w.buffer.Write(hex.AppendEncode(w.buffer.AvailableBuffer(), hash[:]))
	w.buffer.WriteString(hashSuffix + "\n")
	if length := w.buffer.Len() - begin; length > maxLine {
		return fmt.Errorf("event %d takes %d bytes, more than %d", event.Sequence, length, maxLine)
	}
	return nil
}

func (w *FileWriter) flush() error {
	defer w.buffer.Reset()
	n, err := w.out.Write(w.buffer.Bytes())
	if err == nil && n < w.buffer.Len() {
		err = io.ErrShortWrite
	}
	return err
}

// fail latches: what follows a torn line could not be read.
func (w *FileWriter) fail(err error) error {
	w.failed = fmt.Errorf("write the recording: %w", err)
	return w.failed
}
