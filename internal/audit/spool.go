package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// maxSegment is when a segment is followed by the next, in bytes.
const maxSegment = 1 << 20

var errSpoolFull = errors.New("the audit spool is full")

// spool is a first-in first-out queue of lines on disk that outlives the process:
// numbered segments, each written once through, and the place up to which they were
// taken. After a crash a line may come again; none is lost.
type spool struct {
	dir string
	// limit bounds all segments, in bytes.
	limit int64
	// wake has a token when there is something to read.
	wake chan struct{}

	mu       sync.Mutex
	segments []spoolFile
	// last is the highest number of a segment so far: none is used again.
	last   int64
	out    *os.File
	in     *os.File
	offset int64
	place  *os.File
	// waiting counts lines.
	waiting int64
}

// spoolFile is a segment; size is that of its whole lines.
type spoolFile struct{ number, size int64 }

// openSpool opens a spool as the last process left it.
func openSpool(dir string, limit int64) (*spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open an audit spool: %w", err)
	}
	place, err := os.OpenFile(filepath.Join(dir, "place"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open an audit spool: %w", err)
	}
	// Two that read and write one queue would lose what is in it.
	if err := syscall.Flock(int(place.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another process has the audit spool %s: give each replica a directory of its own: %w", dir, err), place.Close())
	}
	s := &spool{dir: dir, limit: limit, place: place, wake: make(chan struct{}, 1)}
	if err := s.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("read an audit spool: %w", err), place.Close())
	}
	if s.waiting > 0 {
		s.wake <- struct{}{}
	}
	return s, nil
}

// recover finds the segments and the place. A place that fits no line is that of a
// torn write: the segment is read from its beginning.
func (s *spool) recover() error {
	number, offset, err := s.readPlace()
	if err != nil {
		return err
	}
	numbers, err := s.list()
	if err != nil {
		return err
	}
	s.last = number
	for _, found := range numbers {
		s.last = max(s.last, found)
		if found < number {
			if err := os.Remove(s.name(found)); err != nil {
				return err
			}
			continue
		}
		content, err := os.ReadFile(s.name(found))
		if err != nil {
			return err
		}
		content = content[:bytes.LastIndexByte(content, '\n')+1]
		s.segments = append(s.segments, spoolFile{number: found, size: int64(len(content))})
		if found == number && offset > 0 && offset <= int64(len(content)) && content[offset-1] == '\n' {
			s.offset, content = offset, content[offset:]
		}
		s.waiting += int64(bytes.Count(content, []byte("\n")))
	}
	return nil
}

func (s *spool) readPlace() (number, offset int64, err error) {
	written, err := io.ReadAll(io.LimitReader(s.place, 64))
	if err != nil {
		return 0, 0, err
	}
	if _, err := fmt.Sscanf(string(written), "%d %d\n", &number, &offset); err != nil {
		return 0, 0, nil //nolint:nilerr // an empty place is a new one's, a torn one is told again from the start
	}
	return number, offset, nil
}

// list is the numbers of the segments that are there, sorted.
func (s *spool) list() ([]int64, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var numbers []int64
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), ".spool")
		if number, err := strconv.ParseInt(name, 10, 64); ok && err == nil {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

func (s *spool) name(number int64) string {
	return filepath.Join(s.dir, fmt.Sprintf("%016d.spool", number))
}

// append writes as many lines as there is room for, and has them on the disk; with
// errSpoolFull it says how many.
func (s *spool) append(lines [][]byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	used := int64(0)
	for _, segment := range s.segments {
		used += segment.size
	}
	var batch bytes.Buffer
	taken := 0
	for _, line := range lines {
		if used+int64(batch.Len()+len(line)+1) > s.limit {
			break
		}
		batch.Write(line)
		batch.WriteByte('\n')
		taken++
	}
	if taken > 0 {
		if err := s.write(batch.Bytes()); err != nil {
			return 0, err
		}
		s.waiting += int64(taken)
		signal(s.wake)
	}
	if taken < len(lines) {
		return taken, errSpoolFull
	}
	return taken, nil
}

// write appends to the newest segment. One that failed is not written to again: its
// torn end is passed over when it is read, and its lines are written once more.
func (s *spool) write(batch []byte) error {
	if s.out == nil {
		if err := s.begin(); err != nil {
			return fmt.Errorf("begin an audit spool's segment: %w", err)
		}
	}
	newest := &s.segments[len(s.segments)-1]
	_, err := s.out.Write(batch)
	if err == nil {
		err = s.out.Sync()
	}
	if err == nil {
		newest.size += int64(len(batch))
	}
	if err != nil || newest.size >= min(maxSegment, s.limit/4) {
		err = errors.Join(err, s.out.Close())
		s.out = nil
	}
	if err != nil {
		return fmt.Errorf("write to an audit spool: %w", err)
	}
	return nil
}

func (s *spool) begin() error {
	number := s.last + 1
	out, err := os.OpenFile(s.name(number), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	s.out, s.last, s.segments = out, number, append(s.segments, spoolFile{number: number})
	folder, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// next is the oldest line that was not taken; nil if none waits.
func (s *spool) next() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.segments) > 0 {
		line, err := s.peek()
		if line != nil || err != nil {
			return line, err
		}
		if len(s.segments) == 1 && s.out != nil {
			return nil, nil
		}
		if err := s.pass(); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// peek is the line at the place, or nil at the segment's end.
func (s *spool) peek() ([]byte, error) {
	first := s.segments[0]
	if s.offset >= first.size {
		return nil, nil
	}
	if s.in == nil {
		in, err := os.Open(s.name(first.number))
		if err != nil {
			return nil, fmt.Errorf("read an audit spool: %w", err)
		}
		s.in = in
	}
	line := make([]byte, min(MaxEvent+1, first.size-s.offset))
	n, err := s.in.ReadAt(line, s.offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read an audit spool: %w", err)
	}
	end := bytes.IndexByte(line[:n], '\n')
	if end < 0 {
		return nil, fmt.Errorf("read an audit spool: %s has no line at byte %d", s.name(first.number), s.offset)
	}
	return line[:end], nil
}

// done takes the line that next gave.
func (s *spool) done(line []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += int64(len(line)) + 1
	s.waiting--
	if err := s.mark(); err != nil {
		return err
	}
	if first := s.segments[0]; s.offset >= first.size && (len(s.segments) > 1 || s.out == nil) {
		return s.pass()
	}
	return nil
}

// pass leaves the first segment behind.
func (s *spool) pass() error {
	var closed error
	if s.in != nil {
		closed, s.in = s.in.Close(), nil
	}
	removed := os.Remove(s.name(s.segments[0].number))
	if errors.Is(removed, fs.ErrNotExist) {
		removed = nil
	}
	s.segments, s.offset = s.segments[1:], 0
	return errors.Join(closed, removed)
}

// mark writes the place over the last one. It is not synced: what a crash of the node
// takes from it is told again.
func (s *spool) mark() error {
	if _, err := s.place.WriteAt(fmt.Appendf(nil, "%020d %020d\n", s.segments[0].number, s.offset), 0); err != nil {
		return fmt.Errorf("mark the place in an audit spool: %w", err)
	}
	return nil
}

// length is how many lines wait.
func (s *spool) length() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting
}

func (s *spool) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	// A program that was forked meanwhile would keep the lock until it runs.
	errs := []error{syscall.Flock(int(s.place.Fd()), syscall.LOCK_UN), s.place.Close()}
	for _, f := range []*os.File{s.in, s.out} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	s.in, s.out = nil, nil
	return errors.Join(errs...)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
