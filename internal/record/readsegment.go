package record

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"filippo.io/age"

	"github.com/sallyport/sallyport/internal/record/store"
)

// segment is a part that was opened.
type segment struct {
	*part

	header segmentHeader
	// line is the header's, body what follows: encrypted, or as frames.
	line, body []byte
	// hash of a sealed one, plain its events.
	hash  Hash
	plain []byte
	// unread says that its events are encrypted, and stay so; last and complete are then what
	// a signature says of them, if there is one.
	unread   bool
	last     int64
	complete bool
}

// segment loads one and opens it; nil if there is none. errTorn is a journal that was
// just begun.
func (r *Reader) segment(number int) (*segment, error) {
	p, err := r.objects.load(number)
	if p == nil || err != nil {
		return nil, err
	}
	return r.opened(p)
}

func (r *Reader) opened(p *part) (*segment, error) {
	s := &segment{part: p}
	if !p.open {
		s.hash = segmentHash(p.object)
	} else if bytes.IndexByte(p.object, '\n') < 0 && len(p.object) < maxHeader {
		return nil, errTorn
	}
	var err error
	if s.header, s.line, s.body, err = parseHeader(p.object); err != nil {
		return nil, r.objects.diagnose(s, 0, 0, Flip, err)
	}
	if s.header.Segment != p.number || s.header.Session != r.objects.session {
		return nil, r.objects.diagnose(s, 0, 0, Reorder, fmt.Errorf("it is segment %d of session %s", s.header.Segment, s.header.Session))
	}
	if p.open {
		s.plain = s.body
		return s, nil
	}
	frames, err := r.objects.decrypt(s)
	switch {
	case errors.Is(err, ErrEncrypted) && r.blind:
		s.unread = true
		return s, nil
	case errors.Is(err, ErrEncrypted):
		return nil, err
	case err != nil:
		return nil, r.objects.diagnose(s, len(s.line), 0, Flip, err)
	}
	plain, at, err := readFrames(frames, s.line)
	if err != nil {
		_, events, _ := scanJournal(plain, s.header.First)
		at, event := len(s.line)+at, s.header.First+events
		switch {
		case errors.Is(err, errTrailer):
			at, event = 0, 0 // every frame is as it was: the header or the trailer is not
		case s.header.Encryption != "":
			at = len(s.line)
		}
		return nil, r.objects.diagnose(s, at, event, corruption(err), err)
	}
	s.plain = plain
	return s, nil
}

// decrypt is the segment's frames.
func (o *objects) decrypt(s *segment) ([]byte, error) {
	if s.header.Encryption == "" {
		return s.body, nil
	}
	if len(o.identities) == 0 {
		return nil, ErrEncrypted
	}
	in, err := age.Decrypt(bytes.NewReader(s.body), o.identities...)
	if noMatch := (*age.NoIdentityMatchError)(nil); errors.As(err, &noMatch) {
		return nil, fmt.Errorf("%w: none of %d given", ErrEncrypted, len(o.identities))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFrame, err)
	}
	frames, err := io.ReadAll(in) // not more than was read
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errNoTrailer
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFrame, err)
	}
	return frames, nil
}

// corruption is what an unsigned segment looks like.
func corruption(err error) Corruption {
	switch {
	case errors.Is(err, errNoTrailer):
		return Truncate
	case errors.Is(err, errBehind):
		return Append
	}
	return Flip
}

// poll looks whether the open segment has grown, or has been sealed.
func (r *Reader) poll() (more bool, err error) {
	old := r.now
	data, err := r.objects.read(old.name, int64(len(old.line)+r.at), maxPlain)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	data = bytes.TrimRight(data, "\x00")
	if event, _, bad := parseEvent(data); bad == nil && event.Sequence == r.sequence+1 {
		old.plain = append(old.plain[:r.at:r.at], data...)
		return true, nil
	}
	if err := r.objects.list(); err != nil {
		return false, err
	}
	p, err := r.objects.load(old.number)
	if err != nil {
		return false, err
	}
	if p == nil {
		return false, r.missing()
	}
	if p.open {
		old.plain = append(old.plain[:r.at:r.at], data...)
		return false, nil
	}
	sealed, err := r.opened(p)
	if err != nil {
		return false, err
	}
	if sealed.unread {
		return false, ErrEncrypted
	}
	if !bytes.HasPrefix(sealed.plain, old.plain[:r.at]) {
		return false, r.objects.diagnose(sealed, 0, sealed.header.First, Rewrite, errors.New("it is not what its journal was"))
	}
	if r.inspect != nil {
		err = r.inspect(sealed)
	}
	r.now = sealed
	return true, err
}

// place is where in the object an event stands that begins at this byte of the events: of
// a sealed segment, the frame that holds it.
func (s *segment) place(at int) int {
	if s.open {
		return len(s.line) + at
	}
	offset := 0
	for s.header.Encryption == "" {
		size, plain, err := frameLength(s.body[offset:])
		if err != nil || uint64(at) < plain {
			break
		}
		offset, at = offset+size, at-int(plain)
	}
	return len(s.line) + offset
}

func parseHash(text string) (Hash, error) {
	var h Hash
	if !isHash(text) {
		return h, errors.New("a hash has 64 hex digits")
	}
	_, err := hex.Decode(h[:], []byte(text))
	return h, err
}

func indexLine(data []byte) int { return bytes.IndexByte(data, '\n') + 1 }

// objectName is an object's name within the session's folder.
func objectName(name string) string {
	_, object, _ := strings.Cut(name, "/")
	return object
}

// sameBytes is the number of another segment with these bytes; 0 if there is none.
func (o *objects) sameBytes(p *part) int {
	for _, number := range o.numbers() {
		name := store.SegmentName(o.session, number)
		if number == p.number || o.sizes[name] != int64(len(p.object)) {
			continue
		}
		if other, err := o.read(name, 0, maxObject); err == nil && bytes.Equal(other, p.object) {
			return number
		}
	}
	return 0
}

// elsewhere is the number under which the segment of this number lies; 0 if nowhere.
func (o *objects) elsewhere(number int) int {
	for _, at := range o.numbers() {
		if at == number {
			continue
		}
		if header, err := o.header(at); err == nil && header.Segment == number && header.Session == o.session {
			return at
		}
	}
	return 0
}
