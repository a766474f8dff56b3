// Package tarfs reads a tar file as a file system: names and places are in memory, contents
// are read where they lie.
package tarfs

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

// MaxEntries bounds a tar file that somebody fills with names, MaxDepth how deep they are:
// a recording of 10 GB has 10,000 segments.
const (
	MaxEntries = 1_000_000
	MaxDepth   = 16
)

// Links says what becomes of links and devices.
type Links int

// None of them is ever followed, or there.
const (
	RefuseLinks Links = iota
	SkipLinks
)

// FS is a tar file as a file system.
type FS struct {
	in      io.ReaderAt
	entries map[string]*entry
}

var (
	_ fs.ReadDirFS  = (*FS)(nil)
	_ fs.ReadLinkFS = (*FS)(nil)
)

// New is a tar file that is being written, and read at the same time.
func New(in io.ReaderAt) *FS {
	return &FS{in: in, entries: map[string]*entry{".": {name: ".", directory: true}}}
}

// Add says where a file's content lies.
func (t *FS) Add(name string, offset, size int64) error {
	return t.add(&entry{name: name, offset: offset, size: size})
}

// Read indexes a tar file of so many bytes. A name twice, one that leads out of the file or
// is not spelled plainly, a file with files below it, or a sparse file is an error.
func Read(in io.ReaderAt, size int64, links Links) (*FS, error) {
	t := New(in)
	section := io.NewSectionReader(in, 0, size)
	reader := tar.NewReader(section)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the tar file: %w", err)
		}
		if header.Typeflag != tar.TypeReg && header.Typeflag != tar.TypeDir {
			if links == SkipLinks {
				continue
			}
			return nil, fmt.Errorf("%q in the tar file is neither a file nor a folder", header.Name)
		}
		if sparse(header) {
			return nil, fmt.Errorf("%q in the tar file is sparse: it is other bytes to whoever unpacks it", header.Name)
		}
		// What the reader has read by now ends where the content begins.
		offset, err := section.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, fmt.Errorf("read the tar file: %w", err)
		}
		found := &entry{name: strings.TrimPrefix(header.Name, "./"), offset: offset, size: header.Size, modified: header.ModTime}
		if header.Typeflag == tar.TypeDir {
			found.directory, found.name = true, strings.TrimSuffix(found.name, "/")
		}
		if err := t.add(found); err != nil {
			return nil, err
		}
	}
}

// sparse is a file that is written as a regular one with records.
func sparse(header *tar.Header) bool {
	for record := range header.PAXRecords {
		if strings.HasPrefix(record, "GNU.sparse.") {
			return true
		}
	}
	return false
}

func (t *FS) add(added *entry) error {
	name := added.name
	switch {
	case added.directory && (name == "" || name == "."):
		return nil
	case name == "." || !fs.ValidPath(name) || strings.Count(name, "/") >= MaxDepth:
		return fmt.Errorf("%q in the tar file leads elsewhere, or too deep", name)
	case len(t.entries) >= MaxEntries:
		return fmt.Errorf("the tar file has more than %d entries", MaxEntries)
	}
	if known := t.entries[name]; known != nil {
		if added.directory && known.directory {
			return nil
		}
		// What is checked and what is read could be different ones.
		return fmt.Errorf("%q is in the tar file twice", name)
	}
	if err := t.parents(name); err != nil {
		return err
	}
	t.entries[name] = added
	return nil
}

// parents adds the folders above an entry, and the entry to the last of them.
func (t *FS) parents(name string) error {
	above := path.Dir(name)
	parent := t.entries[above]
	if parent == nil {
		if err := t.parents(above); err != nil {
			return err
		}
		parent = &entry{name: above, directory: true}
		t.entries[above] = parent
	}
	if !parent.directory {
		return fmt.Errorf("%q in the tar file is a file, and has entries below it", above)
	}
	parent.children = append(parent.children, path.Base(name))
	return nil
}

func (t *FS) find(operation, name string) (*entry, error) {
	found := t.entries[name]
	if found == nil || !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: operation, Path: name, Err: fs.ErrNotExist}
	}
	return found, nil
}

// Open implements fs.FS.
func (t *FS) Open(name string) (fs.File, error) {
	found, err := t.find("open", name)
	if err != nil {
		return nil, err
	}
	if found.directory {
		entries, err := t.ReadDir(name)
		return &folder{found, entries}, err
	}
	return &file{io.NewSectionReader(t.in, found.offset, found.size), found}, nil
}

// ReadDir implements fs.ReadDirFS.
func (t *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	found, err := t.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !found.directory {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrInvalid}
	}
	entries := make([]fs.DirEntry, 0, len(found.children))
	for _, child := range slices.Sorted(slices.Values(found.children)) {
		entries = append(entries, fs.FileInfoToDirEntry(t.entries[path.Join(name, child)]))
	}
	return entries, nil
}

// Lstat implements fs.ReadLinkFS: there are no links.
func (t *FS) Lstat(name string) (fs.FileInfo, error) { return t.find("lstat", name) }

// ReadLink implements fs.ReadLinkFS.
func (t *FS) ReadLink(name string) (string, error) {
	return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
}

// entry is a file or folder, and what is to be said of it.
type entry struct {
	name         string
	directory    bool
	offset, size int64
	modified     time.Time
	// children of a folder, without the folder's name.
	children []string
}

func (e *entry) Name() string { return path.Base(e.name) }
func (e *entry) Size() int64  { return e.size }
func (e *entry) Mode() fs.FileMode {
	if e.directory {
		return fs.ModeDir | 0o555
	}
	return 0o444
}
func (e *entry) ModTime() time.Time { return e.modified }
func (e *entry) IsDir() bool        { return e.directory }
func (e *entry) Sys() any           { return nil }
