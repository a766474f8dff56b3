// Package volume keeps recordings as files: `<request UID>/<session>/00000001.seg`
// below the volume's root. A proxy mounts its own request's folder alone; the reader
// mounts all, and trusts nothing that lies there: it follows no link, waits for no
// FIFO, and looks at no name outside the grammar of objects.
package volume

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/internal/record/store"
)

// Options of one request's folder.
type Options struct {
	// Quota is what the recordings of the request may take, in bytes, journals
	// included; 0 is no bound but the volume's.
	Quota int64
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

// Volume is the folder of one request. It is safe for concurrent use, and for several
// processes at once: on one node (RWO) or, over NFS, on many (RWX).
type Volume struct {
	store.Reader

	root   *os.Root
	folder string
	quota  int64
	now    func() time.Time

	mu sync.Mutex
	// used is what the folder takes, in bytes, as far as known; -1 before the first look.
	used int64
}

var (
	_ store.Store   = (*Volume)(nil)
	_ store.Remover = (*Volume)(nil)
)

// Open opens the folder of one request.
func Open(folder string, options Options) (*Volume, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("open the recordings folder: %w", err)
	}
	return newVolume(root, folder, options), nil
}

func newVolume(root *os.Root, folder string, options Options) *Volume {
	if options.Now == nil {
		options.Now = time.Now //nolint:forbidigo // the default of the field
	}
	return &Volume{
		Reader: store.FS(beneath{root}), root: root, folder: folder,
		quota: options.Quota, now: options.Now, used: -1,
	}
}

// Close releases the folder; objects that are open stay open.
func (v *Volume) Close() error { return v.root.Close() }

// Spool is the folder's path: a session's journal lies beside its segments, where
// readers see it grow.
func (v *Volume) Spool() string { return v.folder }

// Remove deletes everything in the folder, whoever put it there.
func (v *Volume) Remove(ctx context.Context) error {
	names, err := v.entries(ctx)
	for _, name := range names {
		err = errors.Join(err, v.root.RemoveAll(name), ctx.Err())
		if ctx.Err() != nil {
			break
		}
	}
	v.mu.Lock()
	v.used = -1
	v.mu.Unlock()
	if err != nil {
		return fmt.Errorf("remove the recordings: %w", err)
	}
	return nil
}

// entries names what lies in the folder, itself untrusted.
func (v *Volume) entries(ctx context.Context) ([]string, error) {
	folder, err := v.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer func() { _ = folder.Close() }()
	names, err := folder.Readdirnames(-1)
	return names, errors.Join(err, ctx.Err())
}

// beneath is a folder as fs.FS. Unlike os.Root's own it does not wait for the other
// end of a FIFO, nor follow a last link that appears after Lstat has looked.
type beneath struct{ root *os.Root }

func (b beneath) Open(name string) (fs.File, error) {
	return b.root.OpenFile(filepath.FromSlash(name), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
}

func (b beneath) Lstat(name string) (fs.FileInfo, error) { return b.root.Lstat(name) }
func (b beneath) ReadLink(name string) (string, error)   { return b.root.Readlink(name) }
