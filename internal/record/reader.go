package record

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"filippo.io/age"

	"github.com/sallyport/sallyport/internal/record/store"
)

// ReadOptions of a Reader.
type ReadOptions struct {
	// Identities that open encrypted segments.
	Identities []age.Identity
}

// Reader reads a recording of any version event by event, and checks its chain on the
// way. It holds one segment at a time. It belongs to one goroutine.
type Reader struct {
	objects objects
	// file is a recording of one file, of the formats before 1.0; nil for segments.
	file *fileSource

	header Header
	// now is the segment that is read, and at how much of its events were.
	now *segment
	at  int
	// next is the number of the segment after it, previous the hash of the one before that;
	// unchained says that it is not known, after a seek.
	next      int
	previous  Hash
	unchained bool
	// open is the hash that Head tells, over hashed bytes of events.
	open   hash.Hash
	hashed int

	sequence int64
	ended    bool
	failed   error

	// wanted drops events until one of them is; nil wants all.
	wanted func(*Event) bool
	// inspect looks at each segment before it is believed; blind reads on where none of the
	// identities opens a segment.
	inspect func(*segment) error
	blind   bool
	// settled says that session.end stands, whatever lies behind it; nil is always. Where it
	// does not, what lies there is an error.
	settled func() (bool, error)
	// unsure says that nobody told how many events a segment has that was not opened.
	unsure bool
}

// Open reads the beginning of a session's recording.
func Open(ctx context.Context, from store.Reader, session string, options ReadOptions) (*Reader, error) {
	r := newReader(ctx, from, session, options)
	if err := r.begin(); err != nil {
		return nil, err
	}
	return r, nil
}

func newReader(ctx context.Context, from store.Reader, session string, options ReadOptions) *Reader {
	return &Reader{
		open: sha256.New(), next: 1,
		objects: objects{ctx: ctx, from: from, session: session, identities: options.Identities},
	}
}

func (r *Reader) begin() error {
	if err := CheckIdentifier(r.objects.session); err != nil {
		return err
	}
	if err := r.objects.list(); err != nil {
		return err
	}
	var err error
	if name := (store.Name{Session: r.objects.session, Kind: store.KindLegacy}).String(); r.objects.highest() == 0 && r.objects.has(name) {
		r.file, err = openFile(&r.objects, name)
		if err == nil {
			r.header = r.file.reader.Header()
		}
		return err
	}
	err = r.advance()
	if incomplete := (*IncompleteError)(nil); errors.As(err, &incomplete) {
		return nil // it has just begun
	}
	return err
}

// Header is whose recording it is.
func (r *Reader) Header() Header { return r.header }

// Head is the newest event that was read.
func (r *Reader) Head() Head {
	if r.file != nil {
		return r.file.reader.Head()
	}
	if r.now != nil {
		r.open.Write(r.now.plain[r.hashed:r.at])
		r.hashed = r.at
	}
	return Head{Session: r.objects.session, Sequence: r.sequence, Hash: hex.EncodeToString(r.open.Sum(nil)), Complete: r.ended}
}

// sealedHead is the head when the newest event was sealed, and none followed; empty if the
// newest is not the last of a sealed segment.
func (r *Reader) sealedHead() string {
	if r.now == nil || r.now.open || r.at < len(r.now.plain) {
		return ""
	}
	return headOfSealed(r.now.hash)
}

// Next is the next event. io.EOF follows session.end: objects behind that are Verify's to
// judge. An *IncompleteError says that there
// is no more now: a later call may find more. Every other error stays.
func (r *Reader) Next() (Event, error) {
	for r.failed == nil {
		event, err := r.step()
		if incomplete := (*IncompleteError)(nil); errors.As(err, &incomplete) {
			return Event{}, err
		}
		if err != nil {
			r.failed = err
			break
		}
		if r.wanted == nil || r.wanted(&event) {
			r.wanted = nil
			return event, nil
		}
	}
	return Event{}, r.failed
}

func (r *Reader) step() (Event, error) {
	if r.file != nil {
		return r.file.next()
	}
	for {
		if r.now == nil {
			if err := r.advance(); err != nil {
				return Event{}, err
			}
		}
		if r.at < len(r.now.plain) {
			event, err := r.event()
			if !errors.Is(err, errTorn) {
				return event, err
			}
		}
		if r.now.open {
			more, err := r.poll()
			if err != nil {
				return Event{}, err
			}
			if more {
				continue
			}
			if !r.ended {
				return Event{}, &IncompleteError{Events: r.sequence, Tail: int64(len(r.now.plain) - r.at)}
			}
		}
		if err := r.leave(); err != nil {
			return Event{}, err
		}
	}
}

// event reads the next event of the segment. In the open one errTorn is its end, for now.
func (r *Reader) event() (Event, error) {
	event, size, err := parseEvent(r.now.plain[r.at:])
	if err != nil {
		if r.now.open && !r.follows(err) {
			return event, errTorn
		}
		return event, r.corrupt(Flip, err)
	}
	if r.ended {
		return event, r.corrupt(Append, errors.New("an event after session.end"))
	}
	if kind, err := event.misplaced(r.sequence+1, r.header.Session, r.header.RequestUID); err != nil {
		return event, r.corrupt(kind, err)
	}
	if r.at == 0 && !event.Time.Equal(r.now.header.Time) {
		return event, r.corrupt(Flip, errors.New("its first event is of another time than its header says"))
	}
	r.at += size
	r.sequence, r.ended = event.Sequence, event.Type == EventEnd
	return event, nil
}

// follows says whether whole events come after one that is none, in a journal: then it
// was not the last write that was cut short.
func (r *Reader) follows(cause error) bool {
	if errors.Is(cause, errTorn) {
		return false
	}
	rest := r.now.plain[r.at:]
	for range 2 { // the bad line, and one that it may have run into
		end := indexLine(rest)
		if end == 0 {
			return false
		}
		rest = rest[end:]
		if event, _, err := parseEvent(rest); err == nil && event.Sequence > r.sequence {
			return true
		}
	}
	return false
}

// advance begins the next segment. io.EOF, and an *IncompleteError, where there is none.
func (r *Reader) advance() error {
	if r.ended && r.settled == nil {
		return io.EOF
	}
	if r.ended {
		if settled, err := r.settled(); settled || err != nil {
			return cmp.Or(err, io.EOF)
		}
	}
	now, err := r.segment(r.next)
	if errors.Is(err, errTorn) {
		return &IncompleteError{Events: r.sequence}
	}
	if err != nil {
		return err
	}
	if now != nil {
		r.now = now
		return r.enter()
	}
	if r.objects.highest() >= r.next {
		return r.missing()
	}
	if r.ended {
		return io.EOF
	}
	return &IncompleteError{Events: r.sequence}
}

// enter checks that the segment follows on the one before, and begins its hash.
func (r *Reader) enter() error {
	if r.inspect != nil {
		if err := r.inspect(r.now); err != nil {
			return err
		}
	}
	h := r.now.header
	if r.unchained {
		previous, err := parseHash(h.Previous)
		if err != nil {
			return err
		}
		r.previous, r.sequence, r.unchained = previous, h.First-1, false
	}
	if r.header.RequestUID == "" {
		r.header.RequestUID = h.RequestUID
	}
	r.header = Header{h.Format, h.Version, h.Session, r.header.RequestUID}
	switch {
	case h.Previous != r.previous.String():
		return r.objects.diagnose(r.now, 0, r.sequence+1, Rewrite, fmt.Errorf("it does not continue segment %d as that is here", r.now.number-1))
	case h.RequestUID != r.header.RequestUID:
		return r.objects.diagnose(r.now, 0, r.sequence+1, Foreign, fmt.Errorf("it is of request %s", h.RequestUID))
	case h.First != r.sequence+1 && !r.unsure:
		return r.objects.diagnose(r.now, 0, r.sequence+1, Drop, fmt.Errorf("its events begin with %d, not %d", h.First, r.sequence+1))
	case r.ended:
		return r.objects.diagnose(r.now, 0, 0, Append, errors.New("a segment after session.end"))
	}
	r.sequence = h.First - 1
	if r.unsure = r.now.unread && r.now.last == 0; r.now.unread {
		r.sequence, r.ended = max(r.now.last, h.First), r.now.complete
	}
	r.open.Reset()
	r.open.Write([]byte(openDomain))
	r.open.Write(r.previous[:])
	r.at, r.hashed = 0, 0
	return nil
}

// leave ends a segment, and checks what its signature says of its events.
func (r *Reader) leave() error {
	r.Head()
	if s := r.now; s.last > 0 && !s.unread && (s.last != r.sequence || s.complete != r.ended) {
		return r.corrupt(Rewrite, fmt.Errorf("it ends with event %d, and %d was signed", r.sequence, s.last))
	}
	r.previous, r.next = r.now.hash, r.now.number+1
	r.now = nil
	r.at, r.hashed = 0, 0
	return nil
}

// missing is segments that are not there, though later ones are.
func (r *Reader) missing() error {
	return &CorruptError{
		Kind: Drop, Segment: r.next, Event: r.sequence + 1, Object: objectName(store.SegmentName(r.objects.session, r.next)),
		Reason: fmt.Sprintf("it is missing, and segment %d is there", r.objects.highest()),
	}
}

func (r *Reader) corrupt(kind Corruption, err error) error {
	return r.objects.diagnose(r.now, r.now.place(r.at), r.sequence+1, kind, err)
}

// Close frees what the reader holds.
func (r *Reader) Close() error {
	r.now = nil
	if r.file != nil {
		return r.file.close()
	}
	return nil
}

// SeekEvent makes the event of this number the next one.
func (r *Reader) SeekEvent(sequence int64) error {
	return r.seek(func(h segmentHeader) bool { return h.First <= sequence }, func(e *Event) bool { return e.Sequence >= sequence })
}

// SeekTime makes the first event at or after this time the next one.
func (r *Reader) SeekTime(at time.Time) error {
	return r.seek(func(h segmentHeader) bool { return h.Time.Before(at) }, func(e *Event) bool { return !e.Time.Before(at) })
}
