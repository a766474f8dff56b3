package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"filippo.io/age"

	"github.com/sallyport/sallyport/internal/record/store"
)

// objects are those of one session, as they were listed last.
type objects struct {
	ctx        context.Context //nolint:containedctx // of one reading
	from       store.Reader
	session    string
	identities []age.Identity
	sizes      map[string]int64
	// segments is the highest number of a sealed one; open of a journal.
	segments, open int
}

// list looks what is there now.
func (o *objects) list() error {
	listed, err := o.from.List(o.ctx, o.session)
	if err != nil {
		return fmt.Errorf("read the recording: %w", err)
	}
	o.sizes, o.segments, o.open = make(map[string]int64, len(listed)), 0, 0
	for _, object := range listed {
		name, err := store.ParseName(object.Name)
		if err != nil || name.Session != o.session {
			continue
		}
		o.sizes[object.Name] = object.Size
		switch name.Kind {
		case store.KindSegment, store.KindSignature:
			o.segments = max(o.segments, name.Number)
		case store.KindJournal:
			o.open = max(o.open, name.Number)
		case store.KindLegacy:
		}
	}
	return nil
}

// highest is the highest number of any object.
func (o *objects) highest() int { return max(o.segments, o.open) }

// numbers are those of all segments, journals and signatures, in order: somebody may have
// put one very far behind the others.
func (o *objects) numbers() []int {
	numbers := make([]int, 0, len(o.sizes))
	for object := range o.sizes {
		if name, err := store.ParseName(object); err == nil && name.Number > 0 {
			numbers = append(numbers, name.Number)
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// consecutive is the highest number up to which no segment is missing.
func (o *objects) consecutive() int {
	number := 0
	for o.has(store.SegmentName(o.session, number+1)) || o.has(store.JournalName(o.session, number+1)) {
		number++
	}
	return number
}

func (o *objects) has(name string) bool {
	_, ok := o.sizes[name]
	return ok
}

// read reads an object, of at most so many bytes, from an offset on.
func (o *objects) read(name string, offset int64, most int) ([]byte, error) {
	in, err := o.from.Open(o.ctx, name, offset)
	if err != nil {
		return nil, fmt.Errorf("read the recording: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(in, int64(most)+1))
	if err = errors.Join(err, in.Close()); err != nil {
		return nil, fmt.Errorf("read the recording: %w", err)
	}
	return data, nil
}

// part is a segment that was read, or the open one.
type part struct {
	number int
	name   string
	// object is every byte of a sealed segment, or of a journal up to the padding.
	object []byte
	open   bool
}

// load reads a segment: its object, or what its journal holds. nil if there is neither.
func (o *objects) load(number int) (*part, error) {
	for range 3 { // a journal becomes a segment while it is looked for
		name := store.SegmentName(o.session, number)
		if !o.has(name) {
			name = store.JournalName(o.session, number)
		}
		if o.has(name) {
			object, err := o.read(name, 0, maxObject+maxHeader)
			if err == nil {
				return newPart(number, name, object), nil
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
		before := o.highest()
		if err := o.list(); err != nil {
			return nil, err
		}
		if !o.has(store.SegmentName(o.session, number)) && !o.has(store.JournalName(o.session, number)) && o.highest() == before {
			return nil, nil
		}
	}
	return nil, nil
}

func newPart(number int, name string, object []byte) *part {
	p := &part{number: number, name: name, object: object}
	if parsed, err := store.ParseName(name); err == nil && parsed.Kind == store.KindJournal {
		if _, sealed, ok := sealedJournal(object); ok {
			p.object = sealed
		} else {
			p.open, p.object = true, bytes.TrimRight(object, "\x00")
		}
	}
	return p
}

// signature reads that of a segment; nil if there is none.
func (o *objects) signature(number int) ([]byte, error) {
	name := store.SignatureName(o.session, number)
	if !o.has(name) {
		return nil, nil
	}
	data, err := o.read(name, 0, maxSignature)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// HashOf is the hash of a segment as it is stored; fs.ErrNotExist if it is not.
func HashOf(ctx context.Context, from store.Reader, session string, segment int) (Hash, error) {
	o := &objects{ctx: ctx, from: from, session: session}
	object, err := o.read(store.SegmentName(session, segment), 0, maxObject)
	if err != nil {
		return Hash{}, err
	}
	return segmentHash(object), nil
}
