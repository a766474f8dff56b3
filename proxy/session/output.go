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
