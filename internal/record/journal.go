package record

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
)

// journal is the open segment on its way to the kernel: a file of the header's line and
// events, of which every byte survives the process as soon as append returns.
//
// Where it can, the file is mapped: an event costs a copy, and no system call. Blocks are
// allocated before they are written to, so that a full disk is an error here and no
// signal. Behind the events stand zeros.
type journal struct {
	path string
	file *os.File
	// data is the mapping, or a copy of what was written; used is how much of it are
	// the header, of length header, and whole events.
	data         []byte
	header, used int
	// allocated is how far a mapped file has blocks.
	mapped    bool
	allocated int
	at        func(Point) error

	// syncing keeps the file open; synced is how much of it has survived the node.
	syncing sync.Mutex
	synced  int
}

// firstStep is how much a journal is allocated at first; it doubles. Most sessions are idle
// most of the time: their journals' pages are memory.
const firstStep = 4 << 10

// createJournal writes a journal of no events, with room for capacity bytes; 0 has it
// written to, not mapped.
func createJournal(path string, header []byte, capacity int, at func(Point) error) (_ *journal, err error) {
	if err := at(PointJournalCreate); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, journalMode)
	if err != nil {
		return nil, err
	}
	j := &journal{path: path, file: file, at: at}
	defer func() {
		if err != nil {
			err = errors.Join(err, j.close(), os.Remove(path))
		}
	}()
	err = errors.ErrUnsupported
	if capacity > 0 {
		j.data, err = mapFile(file, capacity)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		j.data, err = make([]byte, 0, firstStep), nil
	} else if err == nil {
		j.mapped = true
		err = j.grow(len(header))
	}
	if err != nil {
		return nil, err
	}
	if err := j.append(header, nil); err != nil {
		return nil, err
	}
	j.header = len(header)
	return j, nil
}

// reuse makes the file of a journal whose segment is sealed a journal of no events: the
// pages that it has need not be asked for again. Until it has its new name, nobody reads it.
func (j *journal) reuse(path string, header []byte) (*journal, error) {
	if err := j.at(PointJournalCreate); err != nil {
		return nil, err
	}
	j.syncing.Lock()
	next := &journal{path: j.swapped(), file: j.file, data: j.data, mapped: true, allocated: j.allocated, at: j.at}
	j.file, j.data = nil, nil
	j.syncing.Unlock()
	err := guarded(func() error {
		clear(next.data[:j.used])
		return nil
	})
	if err == nil {
		err = next.append(header, nil)
	}
	if err == nil {
		err = os.Rename(next.path, path)
	}
	if err != nil {
		return nil, errors.Join(err, next.remove())
	}
	next.path, next.header = path, len(header)
	return next, nil
}

// swapped is where the file lies once its segment is sealed. A sync may still be looking
// at the path.
func (j *journal) swapped() string { return j.path + temporarySuffix }

// remove closes a journal that holds nothing, and deletes its file.
func (j *journal) remove() error { return errors.Join(j.close(), os.Remove(j.path)) }

// journalMode lets the group read: who serves recordings is of it.
const journalMode fs.FileMode = 0o640

// events are those of the open segment.
func (j *journal) events() []byte { return j.data[j.header:j.used] }

// append takes a line, and a block that is attached to it, or neither.
func (j *journal) append(line, block []byte) error {
	if err := j.at(PointJournalWrite); err != nil {
		return err
	}
	var err error
	if j.mapped {
		err = j.store(line, block)
	} else {
		err = j.write(line, block)
	}
	if err != nil {
		return err
	}
	return j.at(PointJournalWritten)
}

// store copies. The first byte is the last: until it is there the event is not, wherever
// the process dies.
func (j *journal) store(line, block []byte) error {
	size := len(line) + len(block)
	if len(block) > 0 {
		size++
	}
	if j.used+size > j.allocated {
		if err := j.grow(size); err != nil {
			return err
		}
	}
	return guarded(func() error {
		to := j.data[j.used : j.used+size]
		n := copy(to[1:], line[1:]) + 1
		if len(block) > 0 {
			n += copy(to[n:], block)
			to[n] = '\n'
		}
		to[0] = line[0]
		j.used += size
		return nil
	})
}

// grow allocates room for more bytes.
func (j *journal) grow(more int) error {
	if err := j.at(PointJournalGrow); err != nil {
		return err
	}
	if j.used+more > len(j.data) {
		return fmt.Errorf("%d bytes do not fit into what is left of a segment: %d", more, len(j.data)-j.used)
	}
	step := max(2*j.allocated, firstStep)
	for step < j.used+more {
		step *= 2
	}
	step = min(step, len(j.data))
	if err := allocate(j.file, j.data, j.allocated, step); err != nil {
		return err
	}
	j.allocated = step
	return nil
}

func (j *journal) write(line, block []byte) error {
	begin := len(j.data)
	j.data = append(append(j.data, line...), block...)
	if len(block) > 0 {
		j.data = append(j.data, '\n')
	}
	n, err := j.file.Write(j.data[begin:])
	if err == nil && n < len(j.data)-begin {
		err = io.ErrShortWrite
	}
	if err != nil {
		j.data = j.data[:begin]
		return err
	}
	j.used = len(j.data)
	return nil
}

// sync returns when the first used bytes have survived the node.
func (j *journal) sync(used int) error {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	if j.synced >= used || j.file == nil { // the sealed segment has been synced
		return nil
	}
	if err := j.at(PointJournalSync); err != nil {
		return err
	}
	if j.synced == 0 {
		if err := syncFolder(filepath.Dir(j.path)); err != nil {
			return err
		}
	}
	if err := syncData(j.file); err != nil {
		return err
	}
	j.synced = used
	return nil
}

// close frees what the journal holds; the file stays.
func (j *journal) close() error {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	if j.mapped {
		err = errors.Join(err, unmap(j.data))
	}
	j.file, j.data, j.used = nil, nil, 0
	return err
}

// guarded turns a fault within a mapping into an error: where the disk fails, or a
// filesystem did not keep the blocks that it had promised.
func guarded(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch fault := recover().(type) {
		case nil:
		case interface {
			runtime.Error
			Addr() uintptr
		}:
			err = fmt.Errorf("the journal's disk does not take, or give, what it should: %w", fault)
		default:
			panic(fault)
		}
	}()
	return do()
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// syncFiles syncs what lies in a folder.
func syncFiles(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		file, err := os.Open(filepath.Join(path, entry.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // stored by now
		}
		if err != nil {
			return err
		}
		if err := errors.Join(file.Sync(), file.Close()); err != nil {
			return err
		}
	}
	return syncFolder(path)
}
