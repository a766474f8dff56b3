package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// frame compresses the open segment's events that are in no frame yet, whole frames of
// them, so that no event waits for all of a segment; to its end if it is sealed.
func (w *Writer) frame(end bool) error {
	size := len(w.journal.events())
	for size-w.framed >= frameSize || end && size > w.framed {
		events, err := w.piece(w.framed)
		if err == nil {
			w.frames, err = appendFrame(w.frames, events)
		}
		if err != nil {
			return err
		}
		w.framed += len(events)
	}
	return nil
}

// piece is a frame's worth of the open segment's events, copied: a fault within a mapping
// must not happen within somebody's state. It is valid until the next.
func (w *Writer) piece(from int) ([]byte, error) {
	n := min(frameSize, len(w.journal.events())-from)
	// An idle session keeps no more than it needed.
	w.buffer = slices.Grow(w.buffer[:0], n)[:n]
	err := guarded(func() error {
		copy(w.buffer, w.journal.events()[from:])
		return nil
	})
	return w.buffer, err
}

// seal closes the open segment, puts it in its journal's place, and hands it over. Only
// then can there be another journal, whose header holds this segment's hash.
func (w *Writer) seal() error {
	if len(w.journal.events()) == 0 {
		return w.discard()
	}
	if err := w.options.At(PointSeal); err != nil {
		return err
	}
	if err := w.frame(true); err != nil {
		return err
	}
	sealed, err := closeSegment(w.header, w.frames, w.sequence, w.ended, w.options.Recipients)
	if err != nil {
		return err
	}
	sealed.Journal = w.journal.path
	kept, err := keepSealed(sealed, w.journal.mapped, w.durable, w.options.At)
	if kept == not && !w.closed {
		return err
	}
	// Also where the spool is full: the store may not be.
	w.segment, w.previous = sealed.Segment, segmentHash(sealed.Content)
	w.shrink()
	if kept == swapped {
		w.spare = w.journal
	} else {
		err = errors.Join(err, w.journal.close())
	}
	w.journal = nil
	w.opened.Store(0)
	w.reopen()
	w.options.Sealed(sealed)
	return errors.Join(err, w.options.At(PointSealed))
}

// mostKept is the room that a session keeps for the next segment's frames, and for a line.
const mostKept = 512 << 10

func (w *Writer) shrink() {
	if w.frames = w.frames[:0]; cap(w.frames) > mostKept {
		w.frames = nil
	}
	if cap(w.encoder.line) > mostKept/8 {
		w.encoder.line = nil
	}
}

// discard removes a journal of no events.
func (w *Writer) discard() error {
	err := w.journal.remove()
	w.journal = nil
	w.opened.Store(0)
	return err
}

// reopen begins the hash of a segment's events anew.
func (w *Writer) reopen() {
	w.open.Reset()
	w.open.Write([]byte(openDomain))
	w.open.Write(w.previous[:])
	w.framed, w.hashed = 0, 0
}

// sealedLine is the first line of a journal whose segment is sealed; the object follows.
type sealedLine struct {
	Sealed Statement `json:"sealed"`
}

// keeping says how a sealed segment came to its place in the spool.
type keeping int

const (
	not keeping = iota
	replaced
	// swapped leaves the journal's file under the temporary name.
	swapped
)

// keepSealed puts a sealed segment in its journal's place, in one step: with encryption
// no other process could seal it to the same bytes again. Where swap is wanted, and the
// filesystem can, the journal's file is kept.
func keepSealed(sealed Sealed, swap, durable bool, at func(Point) error) (kept keeping, err error) {
	temporary := sealed.Journal + temporarySuffix
	if err := writeSealed(temporary, sealed, durable, at); err != nil {
		return not, errors.Join(err, os.Remove(temporary))
	}
	if err := at(PointSealRename); err != nil {
		return not, errors.Join(err, os.Remove(temporary))
	}
	kept = replaced
	if swap && exchange(temporary, sealed.Journal) {
		kept = swapped
	} else if err := os.Rename(temporary, sealed.Journal); err != nil {
		return not, errors.Join(err, os.Remove(temporary))
	}
	if durable {
		err = syncFolder(filepath.Dir(sealed.Journal))
	}
	return kept, err
}

func writeSealed(path string, sealed Sealed, durable bool, at func(Point) error) (err error) {
	if err := at(PointSealWrite); err != nil {
		return err
	}
	line, err := json.Marshal(sealedLine{sealed.Statement})
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, journalMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.Write(append(line, '\n')); err != nil {
		return err
	}
	if _, err := file.Write(sealed.Content); err != nil {
		return err
	}
	if !durable {
		return nil
	}
	if err := at(PointSealSync); err != nil {
		return err
	}
	return file.Sync()
}

const (
	journalPrefix   = "journal-"
	temporarySuffix = ".new"
)

func journalName(segment int) string { return fmt.Sprintf("%s%08d", journalPrefix, segment) }
