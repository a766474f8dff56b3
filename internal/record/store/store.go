// Package store is where recordings are kept. One folder per kind of store holds
// an implementation.
package store

import (
	"context"
	"io"
)

// Store holds the recordings of one task.
type Store interface {
	// Create begins the recording of a session, and fails where there is one already.
	// When Write returns, the bytes have survived what the store's durability names.
	Create(ctx context.Context, session string) (io.WriteCloser, error)
	// Open reads a recording, a growing one too.
	Open(ctx context.Context, session string) (io.ReadCloser, error)
	// List names the sessions that have a recording, sorted.
	List(ctx context.Context) ([]Recording, error)
}

// Recording is one entry of a store.
type Recording struct {
	Session string
	// Bytes that it takes.
	Bytes int64
}
