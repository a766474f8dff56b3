package record

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/sallyport/sallyport/internal/record/store"
)

// Verify reads a whole recording and checks it. The error is nil for a complete one
// that agrees, an *IncompleteError for an unfinished one that agrees, and a
// *CorruptError that says what is wrong and where. The summary holds what was found
// until then.
func Verify(ctx context.Context, from store.Reader, session string, expect Expectation) (Summary, error) {
	if err := CheckIdentifier(session); err != nil {
		return Summary{}, err
	}
	if expect.Session != "" && expect.Session != session {
		return Summary{}, &CorruptError{Kind: Foreign, Segment: 1, Reason: fmt.Sprintf("this is session %s, not %s", session, expect.Session)}
	}
	r := newReader(ctx, from, session, ReadOptions{expect.Identities})
	v := &verification{expect: expect, reader: r, checked: map[int64]bool{}, hashes: map[int]string{}}
	r.inspect, r.settled, r.blind = v.segment, v.settled, true
	r.header.RequestUID = expect.RequestUID
	err := r.begin()
	if r.file != nil {
		return v.file()
	}
	for err == nil {
		var event Event
		if event, err = r.Next(); err == nil {
			err = v.event(event)
		}
	}
	v.summary.Header, v.summary.Head = r.Header(), r.Head()
	err = v.ended(err)
	v.summary.Unsigned = v.summary.Segments - v.summary.SignedSegment
	v.summary.Heads = len(v.checked)
	v.summary.HeadChecked = v.summary.Heads > 0
	slices.Sort(v.summary.Keys)
	v.summary.Keys = slices.Compact(v.summary.Keys)
	return v.summary, errors.Join(err, r.Close())
}

type verification struct {
	expect  Expectation
	reader  *Reader
	summary Summary
	// checked are the reported heads that agreed, by sequence.
	checked map[int64]bool
	// hashes of the segments, by number.
	hashes map[int]string
}

// segment checks a part's signature, and takes what is known of it.
func (v *verification) segment(s *segment) error {
	v.summary.Bytes += int64(len(s.object))
	if s.open {
		v.summary.Open = true
		return nil
	}
	v.summary.Segments = s.number
	v.hashes[s.number] = s.hash.String()
	v.summary.Encrypted = v.summary.Encrypted || s.header.Encryption != ""
	if err := v.signatures(s); err != nil {
		return err
	}
	if s.unread && s.last > 0 {
		v.unread(s)
	}
	return nil
}

// unread compares the heads that can be told without a segment's events.
func (v *verification) unread(s *segment) {
	for _, reported := range v.expect.Heads {
		if reported.Sequence == s.last && reported.Hash == headOfSealed(s.hash) {
			v.checked[s.last] = true
		}
	}
}

// event takes an event, and compares the heads that were reported for it.
func (v *verification) event(event Event) error {
	v.summary.Read = true
	v.summary.take(event)
	if !slices.ContainsFunc(v.expect.Heads, func(h Head) bool { return h.Sequence == event.Sequence }) {
		return nil
	}
	head, sealed := v.reader.Head(), v.reader.sealedHead()
	for _, reported := range v.expect.Heads {
		switch {
		case reported.Sequence != event.Sequence:
		case reported.Hash == head.Hash || reported.Hash == sealed:
			v.checked[reported.Sequence] = true
		default:
			return v.reader.objects.diagnose(v.reader.now, v.reader.now.place(v.reader.at-1), event.Sequence, Rewrite,
				fmt.Errorf("the events up to %d are not those whose head was reported", event.Sequence))
		}
	}
	return nil
}

// ended turns an end that comes before what was reported or signed into a corruption.
func (v *verification) ended(err error) error {
	incomplete := (*IncompleteError)(nil)
	if !errors.Is(err, io.EOF) && !errors.As(err, &incomplete) {
		return err
	}
	head := v.summary.Head
	missing := &CorruptError{
		Kind: Drop, Segment: v.summary.Segments + 1, Event: head.Sequence + 1,
	}
	if now := v.reader.now; now != nil && now.open {
		missing.Kind, missing.Offset = Truncate, int64(now.place(v.reader.at))
	}
	for _, reported := range v.expect.Heads {
		if v.reader.unsure {
			break // how many events there are is what nobody can tell
		}
		if reported.Sequence > head.Sequence || reported.Complete && !head.Complete {
			missing.Reason = fmt.Sprintf("it ends after %d events, but %d were reported: events were lost or removed", head.Sequence, reported.Sequence)
			return missing
		}
	}
	for _, seal := range v.expect.Seals {
		if seal.Session == v.reader.objects.session && seal.Segment > v.summary.Segments {
			missing.Reason = fmt.Sprintf("it ends with segment %d, but segment %d was signed: segments were lost or removed", v.summary.Segments, seal.Segment)
			return missing
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// file verifies a recording of one file, of the formats before 1.0.
func (v *verification) file() (Summary, error) {
	f := v.reader.file
	if err := f.reopen(0); err != nil {
		return Summary{}, err
	}
	v.expect.Session = v.reader.objects.session
	summary, err := verifyFile(f.in, v.expect)
	summary.Read = true
	return summary, errors.Join(err, f.close())
}
