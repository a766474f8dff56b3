package postgres

import (
	"sync/atomic"

	"github.com/sallyport/sallyport/internal/policy"
)

// statement is a prepared statement: its text and what that text does never change.
type statement struct {
	text string
	// action of the one statement in it; nil for an empty text, which does nothing.
	action *policy.Action
	// types of its parameters by OID, as far as client or target have told them.
	types atomic.Pointer[[]uint32]
}

// portal is a prepared statement with values, admitted as one operation.
type portal struct {
	// operation's number; 0 for an empty text.
	operation int64
	// copyIn says that it reads data from the client.
	copyIn bool
	// ended says that its result is recorded; the pipeline's lock guards it.
	ended bool
}

// kindCopyIn is the action of a COPY whose data come from the client.
const kindCopyIn = "copy-from"

// scope is what names stand for while a client runs ahead of the target's answers.
// In the segment that is being sent, up to the next Sync, a name stands for what
// the segment has made of it: if that fails, the target skips the rest of the
// segment too. A name that an earlier segment changed is known once that is
// answered. Otherwise it stands for what the target has confirmed.
type scope[T any] struct {
	// segment's own changes; nil is closed.
	current map[string]*T
	// changed is the last earlier segment that changed a name.
	changed map[string]int64
}

func (s *scope[T]) set(name string, value *T) {
	if s.current == nil {
		s.current = map[string]*T{}
	}
	s.current[name] = value
}

// end closes the segment of that number; answered is the last one that is.
func (s *scope[T]) end(segment, answered int64) {
	if answered == segment-1 {
		clear(s.changed)
	}
	for name := range s.current {
		if s.changed == nil {
			s.changed = map[string]int64{}
		}
		s.changed[name] = segment
	}
	clear(s.current)
}
