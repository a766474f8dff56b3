package postgres

import (
	"github.com/sallyport/sallyport/proxy/postgres/catalog"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

// stepKind is the message that a step waits for the answers of.
type stepKind uint8

const (
	stepQuery stepKind = iota
	stepParse
	stepBind
	stepDescribe
	// stepShape is a Describe of our own, before an Execute.
	stepShape
	stepExecute
	stepClose
	stepSync
)

// step is a message that was forwarded, and what its answers will mean.
type step struct {
	kind stepKind
	// serial numbers steps, segment the runs of them up to a Sync or Query.
	serial, segment int64
	// object and name of a statement or portal that the message makes or closes.
	object byte
	name   string
	// statement of a Parse or Describe, portal of a Bind or Execute.
	statement *statement
	portal    *portal
	// operations that it runs, in order; those before ran have ended.
	operations []int64
	ran        int
	// readings of those operations, one for each; shared, and not to be changed.
	readings []*sql.Statement
	// formats of those that copy data to the client, where values are masked.
	formats []*sql.CopyFormat
	// catalog that they were read with.
	catalog *catalog.Snapshot
	// copyIn says that one of them reads data from the client.
	copyIn bool
	// makes are the statements that those make which PREPARE; shorter where none do.
	makes []*statement
	// refusal is the ErrorResponse that the client gets for the target's; the message
	// forwarded is one that must fail.
	refusal []byte
	// failed says that the target has answered with an error.
	failed bool
	// cost is the bytes that it keeps.
	cost int64
}

// one is room for the one operation that most steps have.
type one struct {
	operations [1]int64
	readings   [1]*sql.Statement
	formats    [1]*sql.CopyFormat
}

// newQuery is a simple query without operations yet.
func newQuery() *step {
	room := &one{}
	return &step{kind: stepQuery, operations: room.operations[:0], readings: room.readings[:0], formats: room.formats[:0]}
}

// abandon ends the operations that have not ended: the first with code, those after
// it as not run. Callers hold the pipeline's lock.
func (s *step) abandon(code string) (ended []ending) {
	for ; s.ran < len(s.operations); s.ran++ {
		if s.portal != nil && s.portal.ended {
			continue
		}
		if s.portal != nil {
			s.portal.ended = true
		}
		ended = append(ended, ending{s.operation(), "", code})
		code = notRun
	}
	return ended
}

// operation that is running, 0 if it is none of ours.
func (s *step) operation() int64 {
	if s.ran < len(s.operations) {
		return s.operations[s.ran]
	}
	return 0
}
