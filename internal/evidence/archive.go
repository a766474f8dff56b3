package evidence

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

// maxFiles bounds an archive: a recording of 10 GB has 10,000 segments.
const maxFiles = 1_000_000

// OpenTar reads a bundle's tar file as a file system. It holds names and places, and
// takes regular files alone: a link, a device, a name twice, or one that leads out of
// the bundle is an error.
func OpenTar(in io.ReaderAt, size int64) (fs.FS, error) {
	section := io.NewSectionReader(in, 0, size)
	reader := tar.NewReader(section)
	a := newArchive(in)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the tar file: %w", err)
		}
		if header.Typeflag == tar.TypeDir {
			continue // implied by what lies in it
		}
		// A sparse one is written as a regular file with records, too.
		if header.Typeflag != tar.TypeReg || sparse(header) {
			return nil, fmt.Errorf("%q in the tar file is no regular file", header.Name)
		}
		// What tar.Reader has read by now ends where the file begins.
		at, err := section.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		if err := a.add(strings.TrimPrefix(header.Name, "./"), at, header.Size); err != nil {
			return nil, err
		}
	}
}

func sparse(header *tar.Header) bool {
	for record := range header.PAXRecords {
		if strings.HasPrefix(record, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// archive is the files of a tar file, by where they lie in it.
type archive struct {
	in      io.ReaderAt
	files   map[string]*entry
	folders map[string][]fs.DirEntry
}

func newArchive(in io.ReaderAt) *archive {
	// A bundle has a folder of recordings, even where that is empty.
	return &archive{in: in, files: map[string]*entry{}, folders: map[string][]fs.DirEntry{
		".": {&entry{name: recordingsFolder, dir: true}}, recordingsFolder: nil,
	}}
}

func (a *archive) add(name string, at, size int64) error {
	_, isFolder := a.folders[name]
	if !fs.ValidPath(name) || name == "." || isFolder || a.files[name] != nil {
		return fmt.Errorf("%q in the tar file leads out of it, or is there twice", name)
	}
	if len(a.files) >= maxFiles {
		return fmt.Errorf("more than %d files in the tar file", maxFiles)
	}
	a.files[name] = &entry{name: name, at: at, size: size}
	parent := path.Dir(name)
	if err := a.folder(parent); err != nil {
		return err
	}
	a.folders[parent] = append(a.folders[parent], a.files[name])
	return nil
}

// folder makes a folder, and those above it.
func (a *archive) folder(name string) error {
	if _, ok := a.folders[name]; ok {
		return nil
	}
	if a.files[name] != nil {
		return fmt.Errorf("%q in the tar file is a file and a folder", name)
	}
	a.folders[name] = nil
	parent := path.Dir(name)
	if err := a.folder(parent); err != nil {
		return err
	}
	a.folders[parent] = append(a.folders[parent], &entry{name: name, dir: true})
	return nil
}

// Open implements fs.FS.
func (a *archive) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if e := a.files[name]; e != nil {
		return &openFile{e, io.NewSectionReader(a.in, e.at, e.size)}, nil
	}
	if _, ok := a.folders[name]; ok {
		return &openFolder{entry: &entry{name: name, dir: true}, rest: a.list(name)}, nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// ReadDir implements fs.ReadDirFS.
func (a *archive) ReadDir(name string) ([]fs.DirEntry, error) {
	if _, ok := a.folders[name]; !ok {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	return a.list(name), nil
}

func (a *archive) list(name string) []fs.DirEntry {
	list := slices.Clone(a.folders[name])
	slices.SortFunc(list, func(x, y fs.DirEntry) int { return strings.Compare(x.Name(), y.Name()) })
	return list
}

// entry is a file or folder, and what is to be said of it.
type entry struct {
	name     string
	at, size int64
	dir      bool
}

func (e *entry) Name() string { return path.Base(e.name) }
func (e *entry) Size() int64  { return e.size }
func (e *entry) IsDir() bool  { return e.dir }
func (e *entry) Mode() fs.FileMode {
	if e.dir {
		return fs.ModeDir | 0o555
	}
	return 0o444
}
func (e *entry) Type() fs.FileMode          { return e.Mode().Type() }
func (e *entry) ModTime() time.Time         { return time.Time{} }
func (e *entry) Sys() any                   { return nil }
func (e *entry) Info() (fs.FileInfo, error) { return e, nil }

type openFile struct {
	*entry
	*io.SectionReader
}

func (f *openFile) Size() int64                { return f.size }
func (f *openFile) Stat() (fs.FileInfo, error) { return f.entry, nil }
func (f *openFile) Close() error               { return nil }

type openFolder struct {
	*entry
	rest []fs.DirEntry
}

func (f *openFolder) Stat() (fs.FileInfo, error) { return f.entry, nil }
func (f *openFolder) Close() error               { return nil }
func (f *openFolder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.name, Err: fs.ErrInvalid}
}

// ReadDir implements fs.ReadDirFile.
func (f *openFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	count := len(f.rest)
	if n > 0 {
		if count == 0 {
			return nil, io.EOF
		}
		count = min(count, n)
	}
	list := f.rest[:count]
	f.rest = f.rest[count:]
	return list, nil
}
