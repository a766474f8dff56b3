// Package store is where recordings are kept: per task a flat set of objects, each
// written once, whole, and never changed. One folder per kind of store holds an
// implementation; store/conformance holds the one suite that all of them pass.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// MaxObject bounds an object that is put, in bytes. A segment is sealed long before.
const MaxObject = 64 << 20

// Object is one stored object of a session.
type Object struct {
	// Name has the grammar of ParseName: "<session>/00000001.seg".
	Name string
	// Size in bytes. A journal's counts the zero padding behind its events.
	Size int64
}

// Reader reads the recordings of one task.
type Reader interface {
	// Sessions names the sessions that have a recording of any format, sorted.
	Sessions(ctx context.Context) ([]string, error)
	// List is the objects of one session, sorted by name; fs.ErrNotExist if there are none.
	List(ctx context.Context, session string) ([]Object, error)
	// Open reads an object from an offset on, to its end as it is now; nothing if the
	// offset lies behind that. fs.ErrNotExist if there is no such object; else the error of
	// a read may be worth trying again from there, objects never change.
	Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error)
}

// Writer adds objects to the recordings of one task.
type Writer interface {
	// Put stores an object whole, or not at all, and durably. It is nil if the very
	// same bytes are there already (an earlier answer was lost), and fs.ErrExist if
	// other bytes are. What is encrypted anew is other bytes: retry with the same.
	Put(ctx context.Context, name string, content []byte) error
}

// Store holds the recordings of one task.
type Store interface {
	Reader
	Writer
}

// Remover deletes all recordings of one task.
type Remover interface {
	// Remove is idempotent. Its error wraps ErrHeld while a legal hold or a retention
	// keeps an object; what can be deleted is gone then.
	Remove(ctx context.Context) error
}

var (
	// ErrHeld is an object that may not be deleted yet.
	ErrHeld = errors.New("a legal hold or retention protects it from deletion")
	// ErrFull is a store without room.
	ErrFull = errors.New("the recordings store is full: free or add space")
	// ErrQuota is a task that has used up its own share of a store.
	ErrQuota = errors.New("the task's recordings have reached their quota")
	// ErrExpired is a permission to write that is no longer, or not, valid: ask for another.
	ErrExpired = errors.New("the permission to write this object has expired")
)

// CheckOpen says whether an object can have that name, and be read from there.
func CheckOpen(name string, offset int64) error {
	if _, err := ParseName(name); err != nil {
		return err
	}
	if offset < 0 {
		return fmt.Errorf("open %s at %d: %w", name, offset, fs.ErrInvalid)
	}
	return nil
}

// CheckPut says whether an object is one that is put into stores, and parses its
// name: journals live in a spool, and legacy recordings are written no more.
func CheckPut(name string, content []byte) (Name, error) {
	parsed, err := ParseName(name)
	if err != nil {
		return Name{}, err
	}
	if parsed.Kind != KindSegment && parsed.Kind != KindSignature {
		return Name{}, fmt.Errorf("put %s: only segments and signatures are put: %w", name, ErrName)
	}
	if len(content) > MaxObject {
		return Name{}, fmt.Errorf("put %s: %d bytes are more than an object's %d", name, len(content), MaxObject)
	}
	return parsed, nil
}
