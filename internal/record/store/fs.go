package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// listLimit bounds a folder that somebody fills with names; twice the segments of a
// session of 100 GB.
const listLimit = 200_000

// FS reads the recordings of one task from a folder, or an opened archive: offline,
// away from the store that they were written to. Entries that are no recordings, and
// what is no regular file, are not there.
func FS(fsys fs.FS) Reader { return files{fsys} }

type files struct{ fs.FS }

func (f files) Sessions(ctx context.Context) ([]string, error) {
	entries, err := f.entries(".")
	if err != nil {
		return nil, err
	}
	var sessions []string
	for _, entry := range entries {
		session, isLegacy := strings.CutSuffix(entry.Name(), legacyExtension)
		if CheckIdentifier(session) == nil && (isLegacy && entry.Type().IsRegular() || !isLegacy && entry.IsDir()) {
			sessions = append(sessions, session)
		}
	}
	slices.Sort(sessions)
	return slices.Compact(sessions), ctx.Err()
}

func (f files) List(ctx context.Context, session string) ([]Object, error) {
	if err := CheckIdentifier(session); err != nil {
		return nil, err
	}
	entries, err := f.entries(session)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var objects []Object
	for _, entry := range entries {
		name, err := ParseName(session + "/" + entry.Name())
		if err != nil {
			continue
		}
		if info, err := f.regular(name.String()); err == nil {
			objects = append(objects, Object{name.String(), info.Size()})
		}
	}
	legacy := Name{Session: session, Kind: KindLegacy}.String()
	if info, err := f.regular(legacy); err == nil {
		objects = append(objects, Object{legacy, info.Size()})
	}
	if len(objects) == 0 {
		return nil, fmt.Errorf("list the recording of session %s: %w", session, fs.ErrNotExist)
	}
	slices.SortFunc(objects, func(a, b Object) int { return strings.Compare(a.Name, b.Name) })
	return objects, ctx.Err()
}

func (f files) Open(_ context.Context, name string, offset int64) (io.ReadCloser, error) {
	if err := CheckOpen(name, offset); err != nil {
		return nil, err
	}
	if _, err := f.regular(name); err != nil {
		return nil, err
	}
	file, err := f.FS.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open the recording: %w", err)
	}
	// Again: another may stand there by now.
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("open the recording %s: it is no regular file", name), err, file.Close())
	}
	if offset >= info.Size() {
		return io.NopCloser(strings.NewReader("")), file.Close()
	}
	if err := skip(file, offset); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s at %d: %w", name, offset, err), file.Close())
	}
	return file, nil
}

// skip goes to an offset; an archive's files may not seek.
func skip(file fs.File, offset int64) error {
	if seeker, ok := file.(io.Seeker); ok {
		_, err := seeker.Seek(offset, io.SeekStart)
		return err
	}
	_, err := io.CopyN(io.Discard, file, offset)
	return err
}

// entries reads a folder, which is not reached through a link.
func (f files) entries(folder string) ([]fs.DirEntry, error) {
	if info, err := fs.Lstat(f.FS, folder); err != nil || !info.IsDir() {
		return nil, errors.Join(fmt.Errorf("list the recordings: %s is no folder", folder), err)
	}
	directory, err := f.FS.Open(folder)
	if err != nil {
		return nil, fmt.Errorf("list the recordings: %w", err)
	}
	defer func() { _ = directory.Close() }()
	batches, ok := directory.(fs.ReadDirFile)
	if !ok {
		return nil, fmt.Errorf("list the recordings: %s cannot be listed", folder)
	}
	var entries []fs.DirEntry
	for len(entries) <= listLimit {
		batch, err := batches.ReadDir(256)
		entries = append(entries, batch...)
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list the recordings: %w", err)
		}
	}
	return nil, fmt.Errorf("list the recordings: %s holds more than %d entries", folder, listLimit)
}

// regular looks before opening: a link may lead elsewhere, and a FIFO hangs its reader.
func (f files) regular(name string) (fs.FileInfo, error) {
	if folder, _, nested := strings.Cut(name, "/"); nested {
		if above, err := fs.Lstat(f.FS, folder); err != nil || !above.IsDir() {
			return nil, errors.Join(fmt.Errorf("open the recording %s: %s is no folder", name, folder), err)
		}
	}
	info, err := fs.Lstat(f.FS, name)
	if err != nil {
		return nil, fmt.Errorf("open the recording: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("open the recording %s: it is no regular file", name)
	}
	return info, nil
}
