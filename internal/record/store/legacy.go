package store

import (
	"context"
	"io"
)

// Legacy holds the recordings of one task in the format before 1.0: one growing
// file per session. It goes when its last caller has moved to Store.
type Legacy interface {
	// Create begins the recording of a session, and fails where there is one already.
	// When Write returns, the bytes have survived what the store's durability names.
	Create(ctx context.Context, session string) (io.WriteCloser, error)
	// Open reads a recording, a growing one too.
	Open(ctx context.Context, session string) (io.ReadCloser, error)
	// List names the sessions that have a recording, sorted.
	List(ctx context.Context) ([]Recording, error)
}

// Recording is one entry of a Legacy store.
type Recording struct {
	Session string
	// Bytes that it takes.
	Bytes int64
}
