package record

import (
	"context"
	"errors"
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
// way. It holds one segment at a time.
type Reader struct{}

var errNotWritten = errors.New("not written yet")

// Open reads the beginning of a session's recording.
func Open(ctx context.Context, from store.Reader, session string, options ReadOptions) (*Reader, error) {
	return nil, errNotWritten
}

// Header is whose recording it is.
func (r *Reader) Header() Header { return Header{} }

// Head is the newest event that was read.
func (r *Reader) Head() Head { return Head{} }

// Next is the next event. io.EOF follows session.end. An *IncompleteError says that there
// is no more now: a later call may find more. Every other error stays.
func (r *Reader) Next() (Event, error) { return Event{}, errNotWritten }

// SeekEvent makes the event of this number, or the last before the end, the next one.
func (r *Reader) SeekEvent(sequence int64) error { return errNotWritten }

// SeekTime makes the first event at or after this time the next one.
func (r *Reader) SeekTime(at time.Time) error { return errNotWritten }

// Close frees what the reader holds.
func (r *Reader) Close() error { return nil }
