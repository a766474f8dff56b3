package record

import (
	"errors"
	"fmt"
	"io"
)

// verifyFile reads a whole recording and checks it. The error is nil for a complete one
// that agrees, an *IncompleteError for an unfinished one that agrees, and a
// *CorruptError that says where anything else begins. The summary holds what was
// read until then.
func verifyFile(in io.Reader, expect Expectation) (Summary, error) {
	var summary Summary
	reader, err := NewFileReader(in)
	if err != nil {
		return summary, expect.missing(summary, err)
	}
	summary.Header = reader.Header()
	if err := expect.header(summary.Header); err != nil {
		return summary, err
	}
	for {
		event, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return summary, expect.missing(summary, nil)
		}
		if err != nil {
			return summary, expect.missing(summary, err)
		}
		summary.take(event)
		summary.Head = reader.Head()
		for _, head := range expect.Heads {
			if head.Sequence != event.Sequence {
				continue
			}
			if summary.Head.Hash != head.Hash {
				return summary, reader.corrupt(fmt.Sprintf("event %d is not the one whose hash was reported", event.Sequence))
			}
			summary.HeadChecked = true
			summary.Heads++
		}
	}
}

func (s *Summary) take(event Event) {
	if event.Sequence == 1 {
		s.First, s.Start = event.Time, event.Start
	}
	s.Last = event.Time
	if event.Type == EventOperation {
		s.Operations++
	}
	s.End = event.End
}

func (e Expectation) header(header Header) error {
	switch {
	case e.Session != "" && e.Session != header.Session:
		return &CorruptError{Kind: Foreign, Line: 1, Reason: fmt.Sprintf("this is session %s, not %s", header.Session, e.Session)}
	case e.RequestUID != "" && e.RequestUID != header.RequestUID:
		return &CorruptError{Kind: Foreign, Line: 1, Reason: fmt.Sprintf("this is request %s, not %s", header.RequestUID, e.RequestUID)}
	}
	return nil
}

// missing turns an end that comes before the reported head into a corruption.
func (e Expectation) missing(summary Summary, err error) error {
	var incomplete *IncompleteError
	ended := err == nil || errors.As(err, &incomplete)
	if !ended {
		return err
	}
	for _, head := range e.Heads {
		if summary.Head.Sequence < head.Sequence || head.Complete && !summary.Head.Complete {
			return &CorruptError{
				Kind: Truncate, Line: summary.Head.Sequence + 2, Event: summary.Head.Sequence + 1,
				Reason: fmt.Sprintf("it ends after %d events, but %d were reported: events were lost or removed", summary.Head.Sequence, head.Sequence),
			}
		}
	}
	return err
}
