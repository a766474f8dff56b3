package recording

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/tarfs"
)

// Archive is recordings away from a cluster: a folder, a tar file, or one file of the
// formats before 1.0.
type Archive struct {
	// Tasks are the folders with recordings, each of one request, sorted.
	Tasks []Folder

	close func() error
}

// Folder is the recordings of one request.
type Folder struct {
	store.Reader
	// Name of the folder below what was opened; "." is that itself.
	Name string
}

// Close releases what was opened.
func (a *Archive) Close() error { return a.close() }

// OpenArchive opens a folder, a tar file, or one old recording. Folders may be nested:
// those of a whole volume, or of an evidence bundle, are found.
func OpenArchive(ctx context.Context, name string) (*Archive, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return openFolder(ctx, name)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	a := &Archive{close: file.Close}
	if isTar(file) {
		err = a.tar(ctx, file, info.Size())
	} else {
		err = a.old(file, info)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), file.Close())
	}
	return a, nil
}

func openFolder(ctx context.Context, name string) (*Archive, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	a := &Archive{close: root.Close}
	if err := a.find(ctx, root.FS()); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), root.Close())
	}
	return a, nil
}

// isTar looks for the word that POSIX puts into the first header.
func isTar(file io.ReaderAt) bool {
	magic := make([]byte, 5)
	_, err := file.ReadAt(magic, 257)
	return err == nil && string(magic) == "ustar"
}

func (a *Archive) tar(ctx context.Context, file *os.File, size int64) error {
	archive, err := tarfs.Read(file, size, tarfs.SkipLinks)
	if err != nil {
		return err
	}
	return a.find(ctx, archive)
}

// errNone is a folder that has no recordings, nor has one below it.
var errNone = errors.New("there are no recordings in it: want folders <session>/ with 00000001.seg and what follows")

// find finds the folders that hold sessions.
func (a *Archive) find(ctx context.Context, archive fs.FS) error {
	seen, found := 0, map[string]bool{}
	err := fs.WalkDir(archive, ".", func(name string, entry fs.DirEntry, err error) error {
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if seen++; seen > tarfs.MaxEntries || strings.Count(name, "/") > tarfs.MaxDepth {
			return fmt.Errorf("more than %d entries, or %d folders deep", tarfs.MaxEntries, tarfs.MaxDepth)
		}
		task, ok := taskOf(name)
		if !ok || !entry.Type().IsRegular() || found[task] {
			return nil
		}
		found[task] = true
		folder, err := fs.Sub(archive, task)
		if err != nil {
			return err
		}
		a.Tasks = append(a.Tasks, Folder{store.FS(folder), task})
		return nil
	})
	if err == nil && len(a.Tasks) == 0 {
		err = errNone
	}
	return err
}

// taskOf is the folder of the request whose recording an object belongs to.
func taskOf(name string) (string, bool) {
	folder, base := path.Split(name)
	if parsed, err := store.ParseName(base); err == nil && parsed.Kind == store.KindLegacy {
		return path.Clean(folder), true
	}
	session := path.Base(folder)
	if parsed, err := store.ParseName(session + "/" + base); err != nil || parsed.Kind == store.KindSignature {
		return "", false
	}
	return path.Dir(path.Clean(folder)), true
}

// old is one file of the formats before 1.0, whatever it is called.
func (a *Archive) old(file *os.File, info fs.FileInfo) error {
	// Its name is anybody's; what it says of itself is checked by whoever reads on.
	session := "recording"
	if events, err := record.NewFileReader(io.NewSectionReader(file, 0, info.Size())); err == nil {
		session = events.Header().Session
	}
	a.Tasks = []Folder{{oldFile{file, session, info.Size()}, "."}}
	return nil
}

// oldFile reads one file as the only recording of a task.
type oldFile struct {
	in      io.ReaderAt
	session string
	size    int64
}

func (f oldFile) name() string {
	return store.Name{Session: f.session, Kind: store.KindLegacy}.String()
}

func (f oldFile) Sessions(context.Context) ([]string, error) { return []string{f.session}, nil }

func (f oldFile) List(_ context.Context, session string) ([]store.Object, error) {
	if session != f.session {
		return nil, fs.ErrNotExist
	}
	return []store.Object{{Name: f.name(), Size: f.size}}, nil
}

func (f oldFile) Open(_ context.Context, name string, offset int64) (io.ReadCloser, error) {
	if name != f.name() {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(io.NewSectionReader(f.in, offset, max(0, f.size-offset))), nil
}
