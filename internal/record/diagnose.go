package record

import (
	"errors"
	"fmt"
)

// diagnose names what was done to a segment that is not what it should be. kind and cause
// are what showed it, and stand where nothing better is found. In kind it goes by what the
// segment is in itself: one that is whole was moved or made, one that is not was damaged.
func (o *objects) diagnose(s *segment, offset int, event int64, kind Corruption, cause error) error {
	found := &CorruptError{
		Kind: kind, Segment: s.number, Offset: int64(offset), Event: event, Object: objectName(s.name), Reason: cause.Error(),
	}
	if s.open {
		return found
	}
	header, whole := o.whole(s)
	if !whole {
		return o.damaged(s, found, cause)
	}
	switch {
	case header.Session != o.session:
		found.Kind, found.Reason = Foreign, fmt.Sprintf("it is of session %s", header.Session)
	case header.Segment == s.number:
		return found
	default:
		found.Offset = 0
		o.moved(s, header, found)
	}
	return found
}

// moved is a whole segment in another's place.
func (o *objects) moved(s *segment, header segmentHeader, found *CorruptError) {
	if same := o.sameBytes(s.part); same > 0 {
		found.Kind, found.Reason = Duplicate, fmt.Sprintf("it is segment %d once more", same)
		return
	}
	if at := o.elsewhere(s.number); at > 0 {
		found.Kind, found.Reason = Reorder, fmt.Sprintf("segment %d is in its place, and it in that of segment %d", header.Segment, at)
		return
	}
	found.Kind, found.Reason = Drop, fmt.Sprintf("it is missing, and segment %d is in its place", header.Segment)
}

// damaged is a segment of other bytes than were written; its signature says how many
// there should be.
func (o *objects) damaged(s *segment, found *CorruptError, cause error) error {
	var known int64
	if data, err := o.signature(s.number); err == nil && data != nil {
		if signature, err := ParseSignature(data); err == nil && signature.Segment == s.number && signature.Session == o.session {
			known = signature.Bytes
		}
	}
	size := int64(len(s.object))
	switch {
	case known == 0 && errors.Is(cause, ErrVersion):
		return cause
	case known == 0 || found.Kind == Drop:
	case size < known:
		found.Kind, found.Offset = Truncate, size
		found.Reason = fmt.Sprintf("it has %d bytes, and %d were signed", size, known)
	case size > known:
		found.Kind, found.Offset = Append, known
		found.Reason = fmt.Sprintf("it has %d bytes, and %d were signed", size, known)
	default:
		found.Kind = Flip
	}
	return found
}

// whole says that a segment is one that a writer made, whichever, as far as can be seen
// without its signature.
func (o *objects) whole(s *segment) (segmentHeader, bool) {
	header, line, body, err := parseHeader(s.object)
	if err != nil {
		return header, false
	}
	opened := &segment{part: s.part, header: header, line: line, body: body}
	frames, err := o.decrypt(opened)
	if errors.Is(err, ErrEncrypted) {
		return header, o.signedElsewhere(s, header)
	}
	if err == nil {
		_, _, err = readFrames(frames, line)
	}
	return header, err == nil
}

// signedElsewhere says whether an unread segment is likely to be whole: a signature of the
// segment that it claims to be is over these very bytes, or it claims to be of another
// session, and is not of the size that was signed here.
func (o *objects) signedElsewhere(s *segment, header segmentHeader) bool {
	number := header.Segment
	if header.Session != o.session {
		number = s.number
	}
	data, err := o.signature(number)
	if err != nil || data == nil {
		return header.Session != o.session
	}
	signature, err := ParseSignature(data)
	if header.Session != o.session {
		return err != nil || signature.Bytes != int64(len(s.object))
	}
	return err == nil && signature.Hash == s.hash.String()
}
