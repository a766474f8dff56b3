package record

import (
	"errors"
	"fmt"
)

// Corruption is what was done to a recording.
type Corruption string

// The corruptions that Verify tells apart.
const (
	// Flip is bytes that are others than were written.
	Flip Corruption = "Flip"
	// Drop is segments, or events, that are missing between others, or at the end.
	Drop Corruption = "Drop"
	// Reorder is a segment, signature or event in another's place.
	Reorder Corruption = "Reorder"
	// Truncate is a segment, or a journal, whose end is missing.
	Truncate Corruption = "Truncate"
	// Duplicate is a segment, signature or event that is there twice.
	Duplicate Corruption = "Duplicate"
	// Append is bytes or events behind an end.
	Append Corruption = "Append"
	// Rewrite is content that is whole in itself, but not what was signed or reported.
	Rewrite Corruption = "Rewrite"
	// Foreign is a recording, or a part, of another session or request.
	Foreign Corruption = "Foreign"
	// Unproven is a signature that no key that is trusted has made.
	Unproven Corruption = "Unproven"
)

// CorruptError is a recording that is not what was written, and where that begins.
type CorruptError struct {
	Kind Corruption
	// Segment from 1; 0 in the formats before 1.0. Offset of the first bad part in its
	// object, in bytes; Line its number in those formats, from 1. Event that was expected
	// there; 0 for a header.
	Segment             int
	Offset, Line, Event int64
	// Object is the name of the object within the session's folder, if it is known.
	Object string
	Reason string
}

// Error says what, where and why.
func (e *CorruptError) Error() string {
	if e.Segment == 0 {
		return fmt.Sprintf("corrupt at line %d (event %d, byte %d): %s", e.Line, e.Event, e.Offset, e.Reason)
	}
	place := fmt.Sprintf("segment %d, byte %d", e.Segment, e.Offset)
	if e.Event > 0 {
		place += fmt.Sprintf(", event %d", e.Event)
	}
	return fmt.Sprintf("corrupt (%s) at %s: %s", e.Kind, place, e.Reason)
}

// IncompleteError is a recording that is whole as far as it goes, but which has no end:
// the session still runs, or its proxy died. Never call it valid.
type IncompleteError struct {
	// Events that it has, and the Tail in bytes of one that was not written whole.
	Events, Tail int64
}

// Error says how far it goes.
func (e *IncompleteError) Error() string {
	return fmt.Sprintf("incomplete: %d events, then it ends without session.end (%d bytes of an unfinished event)", e.Events, e.Tail)
}

var (
	// ErrVersion is a recording of another version than this program reads.
	ErrVersion = errors.New("recording of a version that this program does not read")
	// ErrEncrypted is events that none of the identities opens.
	ErrEncrypted = errors.New("the recording is encrypted: give the identity (AGE-SECRET-KEY-…) of one of its recipients")
)
