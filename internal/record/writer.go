package record

import (
	"bytes"
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

// ErrClosed is an event for a recording that has its end.
var ErrClosed = errors.New("the recording is closed")

// Writer writes the recording of one session. When a method returns without an
// error, out has taken every byte of it: with a file that is durability Process. After
// an error nothing more is written. It is safe for concurrent use.
type Writer struct {
	out io.Writer
	now func() time.Time

	mu     sync.Mutex
	buffer bytes.Buffer
	head   Head
	hash   Hash
	failed error
}

// NewWriter begins a recording on out, which must be empty, with header and start.
// now is the clock of the events.
func NewWriter(out io.Writer, start Start, now func() time.Time) (*Writer, error) {
	if err := errors.Join(CheckIdentifier(start.Session), CheckIdentifier(start.RequestUID)); err != nil {
		return nil, err
	}
	header, err := json.Marshal(Header{formatName, Version, start.Session, start.RequestUID})
	if err != nil {
		return nil, err
	}
	w := &Writer{out: out, now: now, hash: headerHash(header), head: Head{Session: start.Session}}
	w.buffer.Write(header)
	w.buffer.WriteByte('\n')
	start = boundedStart(start)
	_, err = w.append(slices.Values([]Event{{Type: EventStart, Start: &start}}))
	return w, err
}

// Append writes events, as a batch where they are small, and returns the new head.
// An event EventOperation of any length becomes as many as it takes; EventEnd closes.
func (w *Writer) Append(events ...Event) (Head, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.append(func(yield func(Event) bool) {
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
	})
}

// Head is the newest link.
func (w *Writer) Head() Head {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.head
}

func (w *Writer) append(events iter.Seq[Event]) (Head, error) {
	if w.failed != nil {
		return w.head, w.failed
	}
	if w.head.Complete {
		return w.head, ErrClosed
	}
	head, hash := w.head, w.hash
	for event := range events {
		head.Sequence++
		event.Sequence, event.Time = head.Sequence, w.now().UTC()
		if err := w.encode(event, &hash); err != nil {
			return w.head, w.fail(err)
		}
		head.Complete = event.Type == EventEnd
		if w.buffer.Len() >= flushSize {
			if err := w.flush(); err != nil {
				return w.head, w.fail(err)
			}
		}
	}
	if err := w.flush(); err != nil {
		return w.head, w.fail(err)
	}
	head.Hash = hash.String()
	w.head, w.hash = head, hash
	return head, nil
}

// encode appends the event's line to the buffer, and moves the chain on.
func (w *Writer) encode(event Event, hash *Hash) error {
	begin := w.buffer.Len()
	encoder := json.NewEncoder(&w.buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(event); err != nil {
		return fmt.Errorf("encode event %d: %w", event.Sequence, err)
	}
	w.buffer.Truncate(w.buffer.Len() - len("}\n"))
	*hash = eventHash(*hash, w.buffer.Bytes()[begin:])
	w.buffer.WriteString(hashPrefix + hash.String() + hashSuffix + "\n")
	if length := w.buffer.Len() - begin; length > maxLine {
		return fmt.Errorf("event %d takes %d bytes, more than %d", event.Sequence, length, maxLine)
	}
	return nil
}

func (w *Writer) flush() error {
	defer w.buffer.Reset()
	n, err := w.out.Write(w.buffer.Bytes())
	if err == nil && n < w.buffer.Len() {
		err = io.ErrShortWrite
	}
	return err
}

// fail latches: what follows a torn line could not be read.
func (w *Writer) fail(err error) error {
	w.failed = fmt.Errorf("write the recording: %w", err)
	return w.failed
}
