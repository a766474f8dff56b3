package masking

import (
	"encoding/binary"
	"slices"

	"github.com/sallyport/sallyport/proxy/postgres/catalog"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// CopyPlan is what happens to the data of one COPY TO. A row need not come in one
// message: what has come of it is kept, up to the limit of a message.
type CopyPlan struct {
	Plan
	format sql.CopyFormat
	limit  int64
	// rest is the row that has not come whole; of it, scanned bytes hold no end.
	rest    []byte
	scanned int
	// quoted and escaped are where scanned ends, in CSV.
	quoted, escaped bool
	// named says that the line of names has passed, or the header of a binary COPY.
	named bool
	// need is the size of rest at which a binary row may be whole.
	need  int
	ended bool
	field []byte
}

// Copy plans the data that a CopyOutResponse announces. Its columns come from the
// statement: the protocol says nothing of them.
func (m *Masks) Copy(response wire.CopyResponse, format sql.CopyFormat, s *sql.Statement, limit int64) (*CopyPlan, error) {
	if format.Binary != (response.Format == wire.FormatBinary) {
		return nil, malformed("a COPY in another format than was asked for")
	}
	p := &CopyPlan{format: format, limit: limit, named: !format.Header && !format.Binary}
	p.masks, p.columns = m, make([]column, len(response.Columns))
	out := outputs(s, len(response.Columns))
	for i := range p.columns {
		c := choice{}
		if m.set.HasColumns() {
			c = m.derived(out, i, s)
		}
		p.columns[i] = m.column(m.plainType(out, i), uint16(response.Format), -1, c)
		p.works = p.works || p.columns[i].does != doesNothing
	}
	return p, nil
}

// plainType is the type of an output that is a table's column, 0 where it is not
// known.
func (m *Masks) plainType(out []sql.Output, i int) uint32 {
	if out == nil || !out[i].Plain || len(out[i].Columns) == 0 || m.index.snapshot == nil {
		return 0
	}
	// What it stands for, if it is a view's, comes after it.
	u := out[i].Columns[0]
	relation := m.index.snapshot.Resolve(nil, u.Schema, u.Relation)
	if relation == nil {
		return 0
	}
	if i := slices.IndexFunc(relation.Columns, func(c catalog.Column) bool { return c.Name == u.Column }); i >= 0 {
		return relation.Columns[i].Type
	}
	return 0
}

// Data appends the messages that take a CopyData's place; data is its body.
func (p *CopyPlan) Data(dst, data []byte) ([]byte, error) {
	if len(p.rest) == 0 && !p.format.Binary {
		// As PostgreSQL sends it: one message, one row.
		var err error
		if data, dst, err = p.lines(dst, data); err != nil {
			return dst, err
		}
		p.rest = append(p.rest[:0], data...)
		return dst, p.bounded()
	}
	p.rest = append(p.rest, data...)
	var left []byte
	var err error
	if p.format.Binary {
		left, dst, err = p.tuples(dst, p.rest)
	} else {
		left, dst, err = p.lines(dst, p.rest)
	}
	if err != nil {
		return dst, err
	}
	p.rest = p.rest[:copy(p.rest, left)]
	return dst, p.bounded()
}

func (p *CopyPlan) bounded() error {
	if int64(len(p.rest)) > p.limit {
		return malformed("a row of a COPY that is larger than a message may be")
	}
	if len(p.rest) == 0 && cap(p.rest) > wire.BufferSize {
		p.rest = nil
	}
	return nil
}

// Done checks that the data end where a row does, if they were looked into.
func (p *CopyPlan) Done() error {
	if !p.works {
		return nil
	}
	if len(p.rest) > 0 || p.format.Binary && !p.ended {
		return malformed("a COPY that ends within a row")
	}
	return nil
}

// appendCopyData opens a CopyData, closeCopyData completes the one that began at
// begin.
func appendCopyData(dst []byte) []byte { return append(dst, wire.TypeCopyData, 0, 0, 0, 0) }

func closeCopyData(dst []byte, begin int) []byte {
	binary.BigEndian.PutUint32(dst[begin+1:], uint32(len(dst)-begin-1))
	return dst
}
