package session

import (
	"context"

	"github.com/sallyport/sallyport/internal/record"
)

// Output records a block of what the client gets of an operation. It is recorded even
// when the session is ending, as results are.
func (s *Session) Output(_ context.Context, output record.Output) error {
	return s.append(record.Event{Type: record.EventOutput, Output: &output})
}

// Terminal records what a terminal is about to show, or its new size; never what was
// typed. Data is the recording's to read until it returns.
func (s *Session) Terminal(_ context.Context, terminal record.Terminal) error {
	return s.append(record.Event{Type: record.EventTerminal, Terminal: &terminal})
}

// File records a file that went through the session, or what was done to one.
func (s *Session) File(_ context.Context, file record.File) error {
	return s.append(record.Event{Type: record.EventFile, File: &file})
}
