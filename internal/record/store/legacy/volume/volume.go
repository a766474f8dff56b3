// Package volume keeps recordings as files: `<request UID>/<session>.rec` below the
// volume's root. A proxy mounts its own request's directory alone.
package volume

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
)

const extension = ".rec"

// listLimit bounds a directory that somebody fills with names.
const listLimit = 100_000

// Tasks is a volume's root: one directory per request.
type Tasks struct {
	root *os.Root
}

// OpenTasks opens the root of a volume.
func OpenTasks(directory string) (*Tasks, error) {
	root, err := os.OpenRoot(directory)
	if err != nil {
		return nil, fmt.Errorf("open the recordings volume: %w", err)
	}
	return &Tasks{root}, nil
}

// Close releases the root; open recordings stay open.
func (t *Tasks) Close() error { return t.root.Close() }

// Task is the recordings of one request. It fails with fs.ErrNotExist if there are none.
func (t *Tasks) Task(requestUID string) (*Volume, error) {
	if err := record.CheckIdentifier(requestUID); err != nil {
		return nil, err
	}
	// os.Root follows links that stay inside: one task's directory may not be a
	// link to another's.
	info, err := t.root.Lstat(requestUID)
	if err != nil {
		return nil, fmt.Errorf("open the recordings of request %s: %w", requestUID, err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("open the recordings of request %s: it is no directory", requestUID)
	}
	root, err := t.root.OpenRoot(requestUID)
	if err != nil {
		return nil, fmt.Errorf("open the recordings of request %s: %w", requestUID, err)
	}
	return &Volume{root}, nil
}

// Volume is the directory of one request. It is a store.Legacy of durability Process:
// Write returns when the kernel has the bytes.
type Volume struct {
	root *os.Root
}

var _ store.Legacy = (*Volume)(nil)

// Open opens the directory of one request.
func Open(directory string) (*Volume, error) {
	root, err := os.OpenRoot(directory)
	if err != nil {
		return nil, fmt.Errorf("open the recordings directory: %w", err)
	}
	return &Volume{root}, nil
}

// Close releases the directory; open recordings stay open.
func (v *Volume) Close() error { return v.root.Close() }

// Create makes the file of a session, which only its owner writes and its group reads.
func (v *Volume) Create(_ context.Context, session string) (io.WriteCloser, error) {
	const flags = os.O_CREATE | os.O_EXCL | os.O_WRONLY | os.O_APPEND | syscall.O_NOFOLLOW
	file, err := v.open(session, flags)
	if err != nil {
		return nil, fmt.Errorf("create the recording: %w", err)
	}
	return file, nil
}

// Open reads the file of a session: a regular one, not through a link.
func (v *Volume) Open(_ context.Context, session string) (io.ReadCloser, error) {
	// O_NONBLOCK: a FIFO of that name must not hang its reader.
	file, err := v.open(session, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("open the recording: %w", err)
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("open the recording of session %s: it is no regular file", session), err, file.Close())
	}
	return file, nil
}

func (v *Volume) open(session string, flags int) (*os.File, error) {
	if err := record.CheckIdentifier(session); err != nil {
		return nil, err
	}
	// os.Root resolves links itself, O_NOFOLLOW or not: look before. What replaces the
	// file in between still ends inside this directory, and Create has O_EXCL.
	if info, err := v.root.Lstat(session + extension); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("session %s: it is no regular file", session)
	}
	return v.root.OpenFile(session+extension, flags, 0o640)
}

// List names the regular files that are recordings by their name; others are not
// ours, and are left out.
func (v *Volume) List(ctx context.Context) ([]store.Recording, error) {
	directory, err := v.root.Open(".")
	if err != nil {
		return nil, fmt.Errorf("list the recordings: %w", err)
	}
	defer func() { _ = directory.Close() }()
	var found []store.Recording
	for seen := 0; seen < listLimit; {
		entries, err := directory.ReadDir(256)
		for _, entry := range entries {
			if recording, ok := describe(entry); ok {
				found = append(found, recording)
			}
		}
		seen += len(entries)
		if errors.Is(err, io.EOF) {
			break
		}
		if err := errors.Join(err, ctx.Err()); err != nil {
			return nil, fmt.Errorf("list the recordings: %w", err)
		}
	}
	slices.SortFunc(found, func(a, b store.Recording) int { return strings.Compare(a.Session, b.Session) })
	return found, nil
}

func describe(entry os.DirEntry) (store.Recording, bool) {
	session, isRecording := strings.CutSuffix(entry.Name(), extension)
	if !isRecording || !entry.Type().IsRegular() || record.CheckIdentifier(session) != nil {
		return store.Recording{}, false
	}
	info, err := entry.Info()
	if err != nil {
		return store.Recording{}, false
	}
	return store.Recording{Session: session, Bytes: info.Size()}, true
}
