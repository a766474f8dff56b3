package record

import (
	"time"

	"filippo.io/age"
)

// Options of a Writer.
type Options struct {
	Start Start
	// Spool is the session's own directory for journals; it is made. It must hold nothing
	// of another session, or of an earlier life of this one: Resume takes that.
	Spool string
	// Recipients that sealed segments are encrypted to; none leaves them plain.
	Recipients []age.Recipient
	// SegmentBytes of events after which a segment is sealed: 0 is 1 MiB, and the most.
	SegmentBytes int
	// SegmentAge of the open segment's oldest event after which Due says so: 0 is never.
	SegmentAge time.Duration
	// Now is the clock of the events; nil is time.Now.
	Now func() time.Time
	// Sealed is handed every sealed segment, in order, under the writer's lock: it must
	// neither block nor call the writer. nil drops them.
	Sealed func(Sealed)
	// At is called before, and where the name says so after, each step that writes. An
	// error fails the step: tests stop there. nil in production.
	At func(Point) error

	// written has journals written to, not mapped: what a network filesystem gets.
	written bool
}

// Point is a step of the writer that can fail.
type Point string

// The writer's steps, in the order in which a segment passes them.
const (
	PointJournalCreate  Point = "journal.create"
	PointJournalGrow    Point = "journal.grow"
	PointJournalWrite   Point = "journal.write"
	PointJournalWritten Point = "journal.written"
	PointJournalSync    Point = "journal.sync"
	PointSeal           Point = "segment.seal"
	PointSealWrite      Point = "segment.write"
	PointSealSync       Point = "segment.sync"
	PointSealRename     Point = "segment.rename"
	PointSealed         Point = "segment.sealed"
)

// Points are all of them.
func Points() []Point {
	return []Point{
		PointJournalCreate, PointJournalGrow, PointJournalWrite, PointJournalWritten, PointJournalSync,
		PointSeal, PointSealWrite, PointSealSync, PointSealRename, PointSealed,
	}
}

// Sealed is a segment that will not change any more.
type Sealed struct {
	Statement

	// Content of the object.
	Content []byte
	// Journal is the file in the spool that holds it until it is stored: remove it then.
	Journal string
}
