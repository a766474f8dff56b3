package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
)

// errTorn is an event that was not written whole.
var errTorn = errors.New("the event is not whole")

// parseEvent reads the event that data begin with, and how many bytes it takes.
func parseEvent(data []byte) (event Event, size int, err error) {
	end := bytes.IndexByte(data[:min(len(data), maxLine+1)], '\n') + 1
	switch {
	case end == 0 && len(data) > maxLine:
		return event, 0, fmt.Errorf("a line of more than %d bytes", maxLine)
	case end == 0, bytes.IndexByte(data[:end], 0) >= 0:
		return event, 0, errTorn
	}
	if err := json.Unmarshal(data[:end], &event); err != nil {
		return event, 0, fmt.Errorf("not an event: %w", err)
	}
	if event.Attached == 0 {
		return event, end, nil
	}
	if event.Attached < 0 || event.Attached > MaxBlock {
		return event, 0, fmt.Errorf("%d bytes are attached, more than %d", event.Attached, MaxBlock)
	}
	if size = end + event.Attached + 1; size > len(data) {
		return event, 0, errTorn
	}
	block := data[end : size-1 : size-1]
	if data[size-1] != '\n' || crc32.Checksum(block, castagnoli) != event.Checksum {
		return event, 0, errors.New("what is attached is not what was written")
	}
	return event, size, event.hold(block)
}

// hold puts attached bytes where they belong.
func (e *Event) hold(block []byte) error {
	switch {
	case e.Output != nil:
		if int64(len(block)) != e.Output.Bytes {
			return fmt.Errorf("a block of %d bytes that says %d", len(block), e.Output.Bytes)
		}
		e.Output.Block = block
	case e.Terminal != nil:
		e.Terminal.Data = block
	case e.Grant != nil:
		e.Grant.Text = block
	default:
		return errors.New("bytes are attached to an event that has none")
	}
	return nil
}

// misplaced says what is wrong with an event where the one of this number should be.
func (e *Event) misplaced(sequence int64, session, requestUID string) (Corruption, error) {
	switch {
	case e.Sequence > sequence:
		return Drop, fmt.Errorf("event %d is missing: %d stands in its place", sequence, e.Sequence)
	case e.Sequence == sequence-1:
		return Duplicate, fmt.Errorf("event %d is there twice", e.Sequence)
	case e.Sequence < sequence:
		return Reorder, fmt.Errorf("event %d stands in the place of event %d", e.Sequence, sequence)
	case (sequence == 1) != (e.Type == EventStart):
		return Rewrite, errors.New("session.start is the first event, and no other")
	case e.Type == EventStart && (e.Start == nil || e.Start.Session != session || e.Start.RequestUID != requestUID):
		return Foreign, errors.New("session.start names another session than the header")
	}
	return "", nil
}

// scanJournal is how many bytes of whole events a journal holds that begins with this
// one, how many events, and whether the last is session.end.
func scanJournal(data []byte, first int64) (size int, events int64, ended bool) {
	for !ended {
		event, n, err := parseEvent(data[size:])
		if err != nil || event.Sequence != first+events {
			break
		}
		size, events, ended = size+n, events+1, event.Type == EventEnd
	}
	return size, events, ended
}
