package recording

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

const (
	// maxEntries bounds an archive that somebody fills with names.
	maxEntries = 1_000_000
	maxDepth   = 16
)

// tarFS is a tar file as a file system: its index is in memory, its contents are not.
// Links and devices in it are not there.
type tarFS struct {
	in      io.ReaderAt
	entries map[string]*tarEntry
}

type tarEntry struct {
	name         string
	directory    bool
	offset, size int64
	modified     time.Time
	children     []string
}

var (
	_ fs.ReadDirFS  = (*tarFS)(nil)
	_ fs.ReadLinkFS = (*tarFS)(nil)
)

// readTar indexes a tar file.
func readTar(file interface {
	io.ReadSeeker
	io.ReaderAt
}) (fs.FS, error) {
	t := &tarFS{in: file, entries: map[string]*tarEntry{".": {name: ".", directory: true}}}
	in := tar.NewReader(file)
	for {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the tar file: %w", err)
		}
		if header.Typeflag != tar.TypeReg && header.Typeflag != tar.TypeDir {
			continue
		}
		for record := range header.PAXRecords {
			if strings.HasPrefix(record, "GNU.sparse.") {
				return nil, fmt.Errorf("the tar file has a sparse entry %q, of which nobody makes recordings", header.Name)
			}
		}
		// The reader reads no further than to where the content begins.
		offset, err := file.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, fmt.Errorf("read the tar file: %w", err)
		}
		if err := t.add(header, offset); err != nil {
			return nil, err
		}
	}
}

func (t *tarFS) add(header *tar.Header, offset int64) error {
	name := strings.TrimPrefix(path.Clean(header.Name), "./")
	switch {
	case name == ".":
		return nil
	case !fs.ValidPath(name) || strings.Count(name, "/") >= maxDepth:
		return fmt.Errorf("the tar file has an entry that leads elsewhere: %q", header.Name)
	case len(t.entries) >= maxEntries:
		return fmt.Errorf("the tar file has more than %d entries", maxEntries)
	}
	directory := header.Typeflag == tar.TypeDir
	if known := t.entries[name]; known != nil {
		if directory && known.directory {
			return nil
		}
		// Two of one name: what is checked and what is read could be different ones.
		return fmt.Errorf("the tar file has two entries named %q", name)
	}
	if err := t.parents(name); err != nil {
		return err
	}
	t.entries[name] = &tarEntry{name: name, directory: directory, offset: offset, size: header.Size, modified: header.ModTime}
	return nil
}

// parents adds the folders above an entry, and the entry to the last of them.
func (t *tarFS) parents(name string) error {
	above := path.Dir(name)
	parent := t.entries[above]
	if parent == nil {
		if err := t.parents(above); err != nil {
			return err
		}
		parent = &tarEntry{name: above, directory: true}
		t.entries[above] = parent
	}
	if !parent.directory {
		return fmt.Errorf("the tar file has entries below %q, which is no folder", above)
	}
	parent.children = append(parent.children, path.Base(name))
	return nil
}

func (t *tarFS) find(operation, name string) (*tarEntry, error) {
	entry := t.entries[name]
	if entry == nil || !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: operation, Path: name, Err: fs.ErrNotExist}
	}
	return entry, nil
}

// Open implements fs.FS.
func (t *tarFS) Open(name string) (fs.File, error) {
	entry, err := t.find("open", name)
	if err != nil {
		return nil, err
	}
	if entry.directory {
		entries, err := t.ReadDir(name)
		return &tarFolder{entry, entries}, err
	}
	return &tarFile{io.NewSectionReader(t.in, entry.offset, entry.size), entry}, nil
}

// ReadDir implements fs.ReadDirFS.
func (t *tarFS) ReadDir(name string) ([]fs.DirEntry, error) {
	entry, err := t.find("readdir", name)
	if err != nil {
		return nil, err
	}
	entries := make([]fs.DirEntry, 0, len(entry.children))
	for _, child := range slices.Sorted(slices.Values(entry.children)) {
		entries = append(entries, fs.FileInfoToDirEntry(t.entries[path.Join(name, child)]))
	}
	return entries, nil
}

// Lstat implements fs.ReadLinkFS: there are no links.
func (t *tarFS) Lstat(name string) (fs.FileInfo, error) { return t.find("lstat", name) }

// ReadLink implements fs.ReadLinkFS.
func (t *tarFS) ReadLink(name string) (string, error) {
	return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
}

// tarFile is an opened entry.
type tarFile struct {
	*io.SectionReader

	entry *tarEntry
}

func (f *tarFile) Stat() (fs.FileInfo, error) { return f.entry, nil }
func (f *tarFile) Close() error               { return nil }

// tarFolder is an opened folder.
type tarFolder struct {
	entry *tarEntry
	left  []fs.DirEntry
}

func (f *tarFolder) Stat() (fs.FileInfo, error) { return f.entry, nil }
func (f *tarFolder) Close() error               { return nil }

func (f *tarFolder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.entry.name, Err: fs.ErrInvalid}
}

// ReadDir implements fs.ReadDirFile.
func (f *tarFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 || n > len(f.left) {
		if n > 0 && len(f.left) == 0 {
			return nil, io.EOF
		}
		n = len(f.left)
	}
	entries := f.left[:n]
	f.left = f.left[n:]
	return entries, nil
}

func (e *tarEntry) Name() string { return path.Base(e.name) }
func (e *tarEntry) Size() int64  { return e.size }
func (e *tarEntry) Mode() fs.FileMode {
	if e.directory {
		return fs.ModeDir | 0o555
	}
	return 0o444
}
func (e *tarEntry) ModTime() time.Time { return e.modified }
func (e *tarEntry) IsDir() bool        { return e.directory }
func (e *tarEntry) Sys() any           { return nil }
