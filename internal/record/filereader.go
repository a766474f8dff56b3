package record

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
)

// FileReader reads a recording event by event, and checks its chain on the way. It
// holds one event at a time.
type FileReader struct {
	in     *bufio.Reader
	header Header
	hash   Hash
	head   Head
	// offset of the next line in bytes, line its number from 1.
	offset, line int64
	failed       error
}

// wholeLine is an event's whole line with something after it. A write that was cut
// short never leaves that, and no JSON string can hold it.
var wholeLine = regexp.MustCompile(`,"hash":"[0-9a-f]{64}"}.`)

// NewFileReader reads the header. An empty recording is an *IncompleteError.
func NewFileReader(in io.Reader) (*FileReader, error) {
	r := &FileReader{in: bufio.NewReaderSize(in, 64<<10), line: 1}
	line, err := r.next()
	if err != nil {
		return nil, err
	}
	if err := strict(line, &r.header); err != nil || r.header.Format != formatName {
		return nil, r.corrupt("this is no header of a recording")
	}
	if !slices.Contains(fileVersions, r.header.Version) {
		return nil, fmt.Errorf("%w: %q, not one of %q", ErrVersion, r.header.Version, fileVersions)
	}
	if err := errors.Join(CheckIdentifier(r.header.Session), CheckIdentifier(r.header.RequestUID)); err != nil {
		return nil, r.corrupt(err.Error())
	}
	r.hash = headerHash(r.header.Version, line)
	r.head.Session = r.header.Session
	r.advance(line)
	return r, nil
}

// Header is the recording's first line.
func (r *FileReader) Header() Header { return r.header }

// Head is the newest link that was read and checked.
func (r *FileReader) Head() Head { return r.head }

// Next is the next event. io.EOF follows the end of a complete recording; otherwise
// the error is an *IncompleteError, a *CorruptError, or the input's own. It stays.
func (r *FileReader) Next() (Event, error) {
	if r.failed != nil {
		return Event{}, r.failed
	}
	event, err := r.read()
	r.failed = err
	return event, err
}

func (r *FileReader) read() (Event, error) {
	line, err := r.next()
	if err != nil {
		return Event{}, err
	}
	if r.head.Complete {
		return Event{}, r.corrupt("an event after session.end")
	}
	covered, hash, err := parse(line)
	if err != nil {
		return Event{}, r.corrupt(err.Error())
	}
	if want := eventHash(r.header.Version, r.hash, covered); hash != want {
		return Event{}, r.corrupt("its hash does not follow from the line before: this line, or the order of lines, was changed")
	}
	var event Event
	if err := json.Unmarshal(line, &event); err != nil {
		return Event{}, r.corrupt("not an event: " + err.Error())
	}
	if err := r.follows(event); err != nil {
		return Event{}, r.corrupt(err.Error())
	}
	r.hash = hash
	r.head = Head{r.header.Session, event.Sequence, hash.String(), event.Type == EventEnd}
	r.advance(line)
	return event, nil
}

// follows checks what a writer can never write.
func (r *FileReader) follows(event Event) error {
	switch {
	case event.Sequence != r.head.Sequence+1:
		return fmt.Errorf("it says it is event %d", event.Sequence)
	case (event.Sequence == 1) != (event.Type == EventStart):
		return errors.New("session.start is the first event, and no other")
	case event.Type == EventStart && (event.Start == nil ||
		event.Start.Session != r.header.Session || event.Start.RequestUID != r.header.RequestUID):
		return errors.New("session.start names another session than the header")
	}
	return nil
}

// next is the next whole line without its end, valid until the one after.
func (r *FileReader) next() ([]byte, error) {
	line, err := r.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line, err = r.long(bytes.Clone(line))
	}
	switch {
	case err == nil:
		return line[:len(line)-1], nil
	case !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("read the recording: %w", err)
	case wholeLine.Match(line):
		return nil, r.corrupt("bytes after a whole event, where its line should end")
	case !r.head.Complete:
		return nil, &IncompleteError{Events: r.head.Sequence, Tail: int64(len(line))}
	case len(line) > 0:
		return nil, r.corrupt("bytes after session.end")
	}
	return nil, io.EOF
}

// long reads on in a line that is longer than the buffer.
func (r *FileReader) long(line []byte) ([]byte, error) {
	for {
		more, err := r.in.ReadSlice('\n')
		if len(line)+len(more) > maxLine {
			return nil, r.corrupt(fmt.Sprintf("a line of more than %d bytes", maxLine))
		}
		line = append(line, more...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

func (r *FileReader) advance(line []byte) {
	r.offset += int64(len(line)) + 1
	r.line++
}

func (r *FileReader) corrupt(reason string) error {
	sequence := r.head.Sequence + 1
	if r.line == 1 {
		sequence = 0
	}
	return &CorruptError{Kind: Flip, Offset: r.offset, Line: r.line, Event: sequence, Reason: reason}
}

// parse divides a line into what its hash covers, and the hash.
func parse(line []byte) (covered []byte, hash Hash, err error) {
	noHash := errors.New("the line does not end with a hash")
	cut := len(line) - hashLength
	if cut < 0 {
		return nil, hash, noHash
	}
	digits, isHash := bytes.CutPrefix(line[cut:], []byte(hashPrefix))
	digits, isClosed := bytes.CutSuffix(digits, []byte(hashSuffix))
	if !isHash || !isClosed || !bytes.Equal(digits, bytes.ToLower(digits)) {
		return nil, hash, noHash
	}
	if _, err := hex.Decode(hash[:], digits); err != nil {
		return nil, hash, noHash
	}
	return line[:cut], hash, nil
}

// strict decodes one JSON object without unknown fields, and nothing after it.
func strict(line []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if decoder.More() {
		return errors.New("more than one value")
	}
	return nil
}
