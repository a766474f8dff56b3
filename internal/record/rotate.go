package record

import (
	"errors"
	"os"
	"time"
)

// Rotate seals the open segment, if it has events.
func (w *Writer) Rotate() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rotate()
}

// Rest is Rotate, and gives back what only a session that goes on at once takes again: a
// journal's pages, and buffers.
func (w *Writer) Rest() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.rotate(); err != nil {
		return err
	}
	if err := w.free(); err != nil {
		return w.fail(err)
	}
	return nil
}

func (w *Writer) rotate() error {
	if w.failed != nil || w.journal == nil {
		return w.failed
	}
	if err := w.seal(); err != nil {
		return w.fail(err)
	}
	return nil
}

// free gives back what is kept for the next segment.
func (w *Writer) free() error {
	spare := w.spare
	w.frames, w.buffer, w.encoder, w.spare = nil, nil, encoder{}, nil
	if spare == nil {
		return nil
	}
	return errors.Join(spare.close(), os.Remove(spare.swapped()))
}

// Due says that the open segment's oldest event is older than SegmentAge, or, where the
// clock was set back, that much ahead of it. It waits for nobody: who writes may wait for
// a disk.
func (w *Writer) Due(now time.Time) bool {
	opened := w.opened.Load()
	return opened != 0 && w.options.SegmentAge > 0 && time.Duration(now.UnixNano()-opened).Abs() >= w.options.SegmentAge
}
