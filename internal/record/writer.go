package record

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// defaultSegment is as many bytes of events as a segment has before it is sealed.
	defaultSegment = 1 << 20
	// journalCapacity is room for a header, a segment that is just not full, and one more
	// event; a multiple of every page size.
	journalCapacity = 2560 << 10
)

// ErrClosed is an event for a recording that has its end.
var ErrClosed = errors.New("the recording is closed")

// Writer writes the recording of one session. When Append returns without an error,
// the journal has taken every event: it survives the process. After an error nothing
// more is written. It is safe for concurrent use.
type Writer struct {
	options Options

	mu      sync.Mutex
	encoder encoder
	// journal is the open segment, of these header and frames; nil before its first event.
	journal *journal
	// spare is the file of a journal that was sealed.
	spare  *journal
	header segmentHeader
	frames []byte
	// framed and hashed say how much of the open segment's events are in frames, and in open.
	framed, hashed int
	// open is the running hash that Head tells, told what it told last.
	open hash.Hash
	told Head
	// buffer is for pieces of the open segment.
	buffer []byte

	// opened is the time of the open segment's oldest event, in nanoseconds since 1970; 0
	// while there is none.
	opened atomic.Int64

	sequence int64
	// segment is the newest that is sealed, previous its hash.
	segment  int
	previous Hash
	// kind and time of the event whose line was begun; ended says that the last was
	// session.end.
	kind  EventType
	now   time.Time
	ended bool
	// durable says that Sync was called: from then on segments are sealed durably.
	durable bool
	failed  error
	closed  bool
}

// NewWriter begins a recording with its session.start.
func NewWriter(options Options) (*Writer, error) {
	if err := errors.Join(CheckIdentifier(options.Start.Session), CheckIdentifier(options.Start.RequestUID)); err != nil {
		return nil, err
	}
	if options.SegmentBytes <= 0 || options.SegmentBytes > defaultSegment {
		options.SegmentBytes = defaultSegment
	}
	if options.Now == nil {
		options.Now = time.Now //nolint:forbidigo // the default of the field
	}
	if options.Sealed == nil {
		options.Sealed = func(Sealed) {}
	}
	if options.At == nil {
		options.At = func(Point) error { return nil }
	}
	if err := emptyFolder(options.Spool); err != nil {
		return nil, fmt.Errorf("begin the recording: %w", err)
	}
	w := &Writer{options: options, open: sha256.New()}
	w.reopen()
	start := boundedStart(options.Start)
	if err := w.Append(Event{Type: EventStart, Start: &start}); err != nil {
		_ = w.Close() // it says the same again
		return nil, err
	}
	w.Head() // there is always one to tell
	return w, nil
}

func emptyFolder(path string) error {
	if err := os.MkdirAll(path, 0o750); err != nil {
		return err
	}
	entries, err := os.ReadDir(path)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s holds %s: the session has been recorded before", path, entries[0].Name())
	}
	return err
}

// Append writes events. An operation of any length becomes as many as it takes;
// EventEnd closes.
func (w *Writer) Append(events ...Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range events {
		if err := w.append(&events[i]); err != nil {
			return err
		}
	}
	return nil
}

// AppendOperation writes an operation, with its verdict where that is known already.
func (w *Writer) AppendOperation(operation *Operation, verdict *Verdict) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.operation(operation, verdict)
}

// AppendResult writes a result.
func (w *Writer) AppendResult(result *Result) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.begin(EventResult); err != nil {
		return err
	}
	w.encoder.result(result)
	return w.end(nil)
}

func (w *Writer) append(event *Event) error {
	if event.Type == EventOperation && event.Operation != nil {
		return w.operation(event.Operation, event.Verdict)
	}
	if err := w.begin(event.Type); err != nil {
		return err
	}
	e := &w.encoder
	var block []byte
	switch {
	case event.Verdict != nil:
		e.verdict(event.Verdict)
	case event.Result != nil:
		e.result(event.Result)
	case event.Stream != nil:
		e.stream(event.Stream)
	case event.Output != nil:
		block = event.Output.Block
		e.output(event.Output)
	case event.Terminal != nil:
		block = event.Terminal.Data
		e.terminal(event.Terminal)
	default:
		return w.rare(*event)
	}
	return w.end(block)
}

// operation writes an operation in as many events as it takes.
func (w *Writer) operation(operation *Operation, verdict *Verdict) error {
	if !whole(operation) {
		return w.parts(*operation, verdict)
	}
	if err := w.begin(EventOperation); err != nil {
		return err
	}
	w.encoder.operation(operation)
	if verdict != nil {
		w.encoder.verdict(verdict)
	}
	return w.end(nil)
}

func (w *Writer) parts(operation Operation, verdict *Verdict) error {
	for event := range split(operation) {
		if err := w.begin(event.Type); err != nil {
			return err
		}
		if event.Type == EventOperation {
			w.encoder.operation(event.Operation)
			if err := w.end(nil); err != nil {
				return err
			}
		} else if err := w.rare(event); err != nil {
			return err
		}
	}
	if verdict == nil {
		return nil
	}
	if err := w.begin(EventVerdict); err != nil {
		return err
	}
	w.encoder.verdict(verdict)
	return w.end(nil)
}

// begin opens the next event's line, and the segment if it is the first there.
func (w *Writer) begin(kind EventType) error {
	switch {
	case w.failed != nil:
		return w.failed
	case w.ended:
		return ErrClosed
	}
	w.now = w.options.Now().UTC().Truncate(time.Microsecond)
	if w.journal == nil {
		if err := w.create(); err != nil {
			return w.fail(err)
		}
	}
	w.kind = kind
	w.encoder.begin(w.sequence+1, w.now, kind)
	return nil
}

// end closes the line, and has the journal take it.
func (w *Writer) end(block []byte) error {
	w.encoder.attach(block)
	w.encoder.end()
	return w.take(block)
}

// rare writes the event whose line was begun, by reflection.
func (w *Writer) rare(event Event) error {
	event.Sequence, event.Time = w.sequence+1, w.now
	event = bounded(event)
	var block []byte
	if event.Grant != nil {
		block = event.Grant.Text
		event.Attached, event.Checksum = len(block), crc32.Checksum(block, castagnoli)
	}
	if err := w.encoder.other(event); err != nil {
		return w.fail(err)
	}
	return w.take(block)
}

func (w *Writer) take(block []byte) error {
	if len(w.encoder.line) > maxLine || len(block) > MaxBlock {
		return w.fail(fmt.Errorf("event %d takes %d bytes and %d attached, more than %d and %d",
			w.sequence+1, len(w.encoder.line), len(block), maxLine, MaxBlock))
	}
	before := w.journal.used
	err := w.journal.append(w.encoder.line, block)
	if w.journal.used > before { // it is there, whatever failed after that
		w.sequence++
		w.ended = w.kind == EventEnd
	}
	if err != nil {
		return w.fail(err)
	}
	if len(w.journal.events())-w.framed >= frameSize {
		if err := w.frame(false); err != nil {
			return w.fail(err)
		}
	}
	if len(w.journal.events()) >= w.options.SegmentBytes {
		if err := w.seal(); err != nil {
			return w.fail(err)
		}
	}
	return nil
}

// fail latches: what follows a torn line could not be read.
func (w *Writer) fail(err error) error {
	w.failed = fmt.Errorf("write the recording: %w", err)
	return w.failed
}

// create begins the next segment.
func (w *Writer) create() error {
	w.header = segmentHeader{
		Format: segmentFormat, Version: Version, RequestUID: w.options.Start.RequestUID, Session: w.options.Start.Session,
		Segment: w.segment + 1, First: w.sequence + 1, Time: w.now, Previous: w.previous.String(),
	}
	path, spare, capacity := filepath.Join(w.options.Spool, journalName(w.header.Segment)), w.spare, journalCapacity
	if w.options.written {
		capacity = 0
	}
	var err error
	if w.spare = nil; spare != nil {
		w.journal, err = spare.reuse(path, w.header.line())
	} else {
		w.journal, err = createJournal(path, w.header.line(), capacity, w.options.At)
	}
	if err == nil {
		w.opened.Store(w.header.Time.UnixNano())
	}
	return err
}

// Sync returns when what was appended before has survived the node.
func (w *Writer) Sync() error {
	w.mu.Lock()
	if !w.durable && w.failed == nil {
		w.durable = true
		// The folder's own name, too: it was made for this session.
		if err := errors.Join(syncFiles(w.options.Spool), syncFolder(filepath.Dir(w.options.Spool))); err != nil {
			_ = w.fail(err)
		}
	}
	journal, failed, used := w.journal, w.failed, 0
	if journal != nil {
		used = journal.used
	}
	w.mu.Unlock()
	if errors.Is(failed, ErrClosed) || failed == nil && journal == nil {
		return nil
	}
	if failed != nil {
		return failed
	}
	if err := journal.sync(used); err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.fail(fmt.Errorf("sync: %w", err))
	}
	return nil
}

// Head says how far the recording goes.
func (w *Writer) Head() Head {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.journal != nil && w.hashed < len(w.journal.events()) {
		events, err := w.piece(w.hashed)
		if err != nil {
			if w.failed == nil {
				_ = w.fail(err)
			}
			return w.told
		}
		w.open.Write(events)
		w.hashed += len(events)
	}
	w.told = Head{
		Session: w.options.Start.Session, Sequence: w.sequence,
		Hash: hex.EncodeToString(w.open.Sum(nil)), Complete: w.ended,
	}
	return w.told
}

// Close seals what is open, also after a failure, and frees what the writer holds. The
// error is the first that there was.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	if w.journal != nil {
		if err := w.seal(); err != nil && w.failed == nil {
			_ = w.fail(err)
		}
	}
	if err := w.free(); err != nil && w.failed == nil {
		_ = w.fail(err)
	}
	if w.failed != nil {
		return w.failed
	}
	w.failed = ErrClosed
	return nil
}
