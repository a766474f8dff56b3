package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/age"
)

// Resume seals what a dead process left in a session's spool, as it is: without
// session.end. It returns, in order, what that process had sealed too, and the same when
// it is called again. No Writer may have that directory. The error joins what could not
// be read; the rest is returned all the same.
func Resume(spool string, recipients []age.Recipient) ([]Sealed, error) {
	entries, err := os.ReadDir(spool)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, fmt.Errorf("resume: %w", err)
	}
	var found []Sealed
	var failures []error
	for _, entry := range entries {
		if name := entry.Name(); strings.HasPrefix(name, journalPrefix) && strings.HasSuffix(name, temporarySuffix) {
			failures = append(failures, os.Remove(filepath.Join(spool, name)))
		}
	}
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasPrefix(name, journalPrefix) || strings.HasSuffix(name, temporarySuffix) || !entry.Type().IsRegular() {
			continue
		}
		sealed, err := resume(filepath.Join(spool, name), recipients)
		if err != nil {
			failures = append(failures, fmt.Errorf("resume %s: %w", filepath.Join(spool, name), err))
		}
		if sealed.Segment > 0 {
			found = append(found, sealed)
		}
	}
	slices.SortFunc(found, func(a, b Sealed) int { return a.Segment - b.Segment })
	return found, errors.Join(failures...)
}

// resume seals one journal. One without a whole event is removed.
func resume(path string, recipients []age.Recipient) (Sealed, error) {
	data, err := readJournal(path)
	if err != nil {
		return Sealed{}, err
	}
	if statement, object, ok := sealedJournal(data); ok {
		if int64(len(object)) != statement.Bytes || segmentHash(object).String() != statement.Hash {
			return Sealed{}, errors.New("the sealed segment in it is damaged")
		}
		return Sealed{Statement: statement, Content: object, Journal: path}, nil
	}
	header, _, body, err := parseHeader(data)
	if err != nil && bytes.IndexByte(data[:min(len(data), maxHeader)], 0) < 0 && len(data) > 0 {
		return Sealed{}, err
	}
	size, events, ended := 0, int64(0), false
	if err == nil {
		size, events, ended = scanJournal(body, header.First)
	}
	if events == 0 {
		return Sealed{}, os.Remove(path)
	}
	if filepath.Base(path) != journalName(header.Segment) {
		return Sealed{}, fmt.Errorf("it holds segment %d", header.Segment)
	}
	frames, err := appendFrames(nil, body[:size])
	if err != nil {
		return Sealed{}, err
	}
	sealed, err := closeSegment(header, frames, header.First+events-1, ended, recipients)
	if err != nil {
		return Sealed{}, err
	}
	sealed.Journal = path
	kept, err := keepSealed(sealed, false, true, func(Point) error { return nil })
	if kept == not && len(recipients) > 0 {
		return Sealed{}, err // the next attempt would make other bytes of it
	}
	return sealed, err
}

func appendFrames(frames, plain []byte) ([]byte, error) {
	for chunk := range slices.Chunk(plain, frameSize) {
		var err error
		if frames, err = appendFrame(frames, chunk); err != nil {
			return nil, err
		}
	}
	return frames, nil
}

func readJournal(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxObject+maxHeader+1))
	if err == nil && len(data) > maxObject+maxHeader {
		err = fmt.Errorf("it has more than %d bytes", maxObject)
	}
	return data, errors.Join(err, file.Close())
}

// sealedJournal divides a journal whose segment is sealed.
func sealedJournal(data []byte) (statement Statement, object []byte, ok bool) {
	line, object, ok := bytes.Cut(data, []byte{'\n'})
	if !ok || len(line) > maxHeader || !bytes.HasPrefix(line, []byte(`{"sealed":`)) {
		return statement, nil, false
	}
	var sealed sealedLine
	if json.Unmarshal(line, &sealed) != nil || sealed.Sealed.Validate() != nil {
		return statement, nil, false
	}
	return sealed.Sealed, object, true
}
