package record

import (
	"bytes"
	"fmt"
	"sort"

	"github.com/sallyport/sallyport/internal/record/store"
)

// seek goes to the newest segment that begins early enough, and drops events until one is
// wanted. Of the segments before it reads headers only, as few as it can.
func (r *Reader) seek(early func(segmentHeader) bool, wanted func(*Event) bool) error {
	if r.file != nil {
		r.wanted, r.failed = wanted, nil
		return r.file.rewind()
	}
	if err := r.objects.list(); err != nil {
		return err
	}
	var failure error
	number := sort.Search(r.objects.consecutive(), func(i int) bool {
		header, err := r.objects.header(i + 1)
		if err != nil {
			failure = err
		}
		return err != nil || !early(header)
	})
	if failure != nil {
		return failure
	}
	if number, failure = r.objects.within(number); failure != nil {
		return failure
	}
	r.now, r.next, r.unchained, r.ended, r.failed, r.wanted = nil, max(number, 1), true, false, nil, wanted
	return nil
}

// within is the number of a segment, or that of the last one where it lies behind an end
// that the signature nearest to it tells of.
func (o *objects) within(number int) (int, error) {
	for at := number; at > 0; at-- {
		if !o.has(store.SignatureName(o.session, at)) {
			continue
		}
		data, err := o.signature(at)
		if err != nil {
			return 0, err
		}
		if signature, err := ParseSignature(data); err == nil && signature.Complete {
			return at, nil
		}
		break
	}
	return number, nil
}

// header reads that of a segment.
func (o *objects) header(number int) (segmentHeader, error) {
	name := store.SegmentName(o.session, number)
	if !o.has(name) {
		name = store.JournalName(o.session, number)
	}
	data, err := o.read(name, 0, 2*maxHeader)
	if err != nil {
		return segmentHeader{}, err
	}
	if line, rest, ok := bytes.Cut(data, []byte{'\n'}); ok && bytes.HasPrefix(line, []byte(`{"sealed":`)) {
		data = rest
	}
	header, _, _, err := parseHeader(data)
	if err != nil {
		return header, fmt.Errorf("segment %d: %w", number, err)
	}
	return header, nil
}
