package masking

import (
	"github.com/sallyport/sallyport/internal/mask"
	"github.com/sallyport/sallyport/proxy/postgres/catalog"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// Masks are what a session masks. They belong to one goroutine.
type Masks struct {
	set    *mask.Set
	index  *index
	counts mask.Counts
	// found and scratch are room for the values of one row.
	found   []mask.Span
	scratch []byte
}

// New masks as a policy says; nil where it masks nothing. The catalog is not known
// before Follow.
func New(set *mask.Set) *Masks {
	if !set.HasColumns() && !set.Detects() {
		return nil
	}
	return &Masks{set: set, index: newIndex(set, nil), counts: mask.Counts{}}
}

// Follow takes the newest catalog of the target; nil is none.
func (m *Masks) Follow(snapshot *catalog.Snapshot) {
	if m.index.snapshot != snapshot {
		m.index = newIndex(m.set, snapshot)
	}
}

// HasColumns says whether columns are masked, and so what statements say of them
// matters.
func (m *Masks) HasColumns() bool { return m.set.HasColumns() }

// Take returns what was masked since the last Take, by reason; nil for nothing.
func (m *Masks) Take() map[string]int64 {
	if len(m.counts) == 0 {
		return nil
	}
	taken := m.counts
	m.counts = mask.Counts{}
	return taken
}

// Touches says whether a statement may come by a masked value; nil is a statement
// that nothing is known of.
func (m *Masks) Touches(s *sql.Statement) bool { return m.touched(s).made }

// touched is the strictest mask of the relations that a statement touches.
func (m *Masks) touched(s *sql.Statement) choice {
	switch {
	case !m.set.HasColumns():
		return choice{}
	case s == nil, s.Action.Unknown != "", s.Action.Opaque != "":
		return m.index.all
	}
	var c choice
	for _, access := range s.Action.Access {
		c.join(m.index.touched(access.Schema, access.Name))
	}
	for _, u := range s.Action.Columns {
		c.join(m.index.touched(u.Schema, u.Relation))
	}
	return c
}

// Result plans the rows that a RowDescription announces; s is the statement that they
// are the result of, nil where it is not known.
func (m *Masks) Result(columns []wire.Column, s *sql.Statement) *Plan {
	p := &Plan{masks: m, columns: make([]column, len(columns))}
	for i, c := range columns {
		p.columns[i] = m.column(c.Type, c.Format, c.Modifier, m.origin(c, outputs(s, len(columns)), i, s))
		p.works = p.works || p.columns[i].does != doesNothing
	}
	return p
}

// outputs of a statement, if they are those of a result of n columns.
func outputs(s *sql.Statement, n int) []sql.Output {
	if s == nil || len(s.Outputs) != n {
		return nil
	}
	return s.Outputs
}

// origin is the mask of a result's column by where it comes from.
func (m *Masks) origin(c wire.Column, out []sql.Output, i int, s *sql.Statement) choice {
	if !m.set.HasColumns() {
		return choice{}
	}
	relation := (*catalog.Relation)(nil)
	if m.index.snapshot != nil {
		relation = m.index.snapshot.Relation(c.Table)
	}
	number := int16(c.Attribute)
	switch {
	case relation != nil && number == 0:
		return m.index.row(c.Table)
	case relation != nil && number < 0:
		// System columns: ctid, xmin, tableoid.
		return choice{}
	case relation != nil && relation.ByNumber(number) == "*":
		// The column is newer than the catalog.
		return m.index.relations[relation.Name]
	case relation != nil && m.index.isView(relation):
		known := m.index.columns[c.Table][number]
		known.join(m.index.viewColumn(relation, number))
		return known
	case relation != nil:
		return m.index.columns[c.Table][number]
	case c.Table != 0 && c.Table < firstUserOID:
		// PostgreSQL's own catalogs.
		return choice{}
	}
	return m.derived(out, i, s)
}

// derived is the mask of a column without a known origin.
func (m *Masks) derived(out []sql.Output, i int, s *sql.Statement) choice {
	if out == nil {
		return m.touched(s).computed()
	}
	var c choice
	for _, u := range out[i].Columns {
		c.join(m.index.use(u))
	}
	if !out[i].Plain {
		return c.computed()
	}
	return c
}
