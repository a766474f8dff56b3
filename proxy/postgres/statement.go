package postgres

import (
	"fmt"
	"sync/atomic"

	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

// statement is a prepared statement: its text and what that text does never change.
type statement struct {
	text string
	// reading of the one statement in it; nil for an empty text, which does nothing.
	reading *sql.Statement
	// epoch of the view that it was read in.
	epoch int64
	// types of its parameters by OID, as far as client or target have told them.
	types atomic.Pointer[[]uint32]
}

// portal is a prepared statement with values, admitted as one operation.
type portal struct {
	// operation's number; 0 for an empty text.
	operation int64
	// reading of its statement; nil for an empty text.
	reading *sql.Statement
	// makes is the statement that its PREPARE makes, runs the one that its EXECUTE runs.
	makes, runs *statement
	// executes is that one's name.
	executes string
	// ended says that its result is recorded; the pipeline's lock guards it.
	ended bool
	// cursor that it is, for masks; nil before the target has made it. The same lock guards it.
	cursor *cursor
	// one has its operation, reading and format, as its steps have them.
	one one
}

// maxName is the most that PostgreSQL keeps of a name, in bytes (NAMEDATALEN): two
// names of ours with the same beginning would be one of its.
const maxName = 63

// distinct refuses names that the target may take for others: it cuts long ones, and
// converts what is not ASCII to its own encoding.
func distinct(names ...string) error {
	for _, name := range names {
		if name == ownName {
			return &fault{code: codeName, message: "a prepared statement or portal of that name is the proxy's own"}
		}
		if len(name) > maxName || !ascii(name) {
			return &fault{code: codeName, message: fmt.Sprintf(
				"the name of a prepared statement or portal has %d ASCII characters at most through this proxy", maxName)}
		}
	}
	return nil
}

const (
	// kindCopyIn is the action of a COPY whose data come from the client.
	kindCopyIn     = "copy-from"
	kindDeallocate = "deallocate"
	kindCommit     = "commit"
	kindPrepare    = "prepare"
	kindExecute    = "execute"
)

func (p *portal) copyIn() bool { return p.reading != nil && p.reading.Action.Kind == kindCopyIn }

func (p *portal) operations() []int64 {
	if p.operation == 0 {
		return nil
	}
	return p.one.operations[:]
}

func (p *portal) made() []*statement {
	if p.makes == nil {
		return nil
	}
	return []*statement{p.makes}
}

func (p *portal) readings() []*sql.Statement {
	if p.operation == 0 {
		return nil
	}
	return p.one.readings[:]
}

// movesPortals says whether an action may end portals, or make one of a name that a
// client has used.
func movesPortals(action *policy.Action) bool {
	switch action.Kind {
	case "commit", "rollback", "rollback to", "declare", "close", "discard":
		return true
	}
	return false
}

// scope is what names stand for while a client runs ahead of the target's answers.
// In the segment that is being sent, up to the next Sync, a name stands for what
// the segment has made of it: if that fails, the target skips the rest of the
// segment too. A name that an earlier segment changed is known once that is
// answered. Otherwise it stands for what the target has confirmed.
type scope[T any] struct {
	// segment's own changes; nil is closed.
	current map[string]*T
	// changed is the last earlier segment that changed a name, moved the last one that
	// may have changed any.
	changed map[string]int64
	moved   int64
}

// full says that a segment has named as many as are kept.
func (s *scope[T]) full() bool { return len(s.current) >= maxNames }

// move says that names may stand for something else now: the target will tell.
func (s *scope[T]) move(segment int64) {
	clear(s.current)
	s.moved = segment
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
