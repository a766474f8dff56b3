package masking

import (
	"slices"

	"github.com/sallyport/sallyport/internal/mask"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/catalog"
)

// index is what the masked columns of a policy are on one target.
type index struct {
	set      *mask.Set
	snapshot *catalog.Snapshot
	// columns of tables by relation and number: masked by name, or by the name of a
	// relation that they inherit from or that inherits from theirs.
	columns map[uint32]map[int16]choice
	// views are the strictest masks of what a view depends on, for each that depends
	// on a relation with a masked column.
	views map[uint32]choice
	// viewColumns are those of their columns, as far as they were asked for; nil is a
	// view whose query does not tell.
	viewColumns map[uint32]map[int16]choice
	// relations that have a mask, by name.
	relations map[catalog.Name]choice
	// all is the strictest of all.
	all choice
}

// unplaced masks what comes from relations that the catalog does not know.
var unplaced = mask.Mask{Reason: "column of unknown origin"}

func newIndex(set *mask.Set, snapshot *catalog.Snapshot) *index {
	x := &index{
		set: set, snapshot: snapshot, columns: map[uint32]map[int16]choice{}, views: map[uint32]choice{},
		viewColumns: map[uint32]map[int16]choice{},
		relations:   map[catalog.Name]choice{},
	}
	if snapshot != nil {
		for _, relation := range snapshot.Relations {
			x.own(relation)
		}
		for oid := range x.columns {
			x.name(snapshot.Relation(oid), x.row(oid))
		}
		for _, relation := range snapshot.Relations {
			if x.isView(relation) {
				x.view(relation, map[uint32]bool{})
			}
		}
	}
	for _, relation := range set.Relations() {
		name := catalog.Name{Schema: relation.Schema, Name: relation.Name}
		if !x.relations[name].made {
			x.relations[name] = choice{unplaced, true}
			x.all.add(unplaced)
		}
	}
	return x
}

func (x *index) name(relation *catalog.Relation, c choice) {
	known := x.relations[relation.Name]
	known.join(c)
	x.relations[relation.Name] = known
	x.all.join(c)
}

// own takes a relation's own masks, to its ancestors and descendants too: their rows
// are partly the same.
func (x *index) own(relation *catalog.Relation) {
	for _, column := range relation.Columns {
		m, ok := x.set.Column(relation.Schema, relation.Name.Name, column.Name)
		if !ok {
			continue
		}
		x.spread(relation, column.Name, m, func(r *catalog.Relation) []uint32 { return r.Parents }, map[uint32]bool{})
		x.spread(relation, column.Name, m, func(r *catalog.Relation) []uint32 { return r.Children }, map[uint32]bool{})
		for _, computed := range relation.Columns {
			if slices.Contains(computed.From, column.Number) {
				x.spread(relation, computed.Name, m, func(r *catalog.Relation) []uint32 { return r.Parents }, map[uint32]bool{})
				x.spread(relation, computed.Name, m, func(r *catalog.Relation) []uint32 { return r.Children }, map[uint32]bool{})
			}
		}
	}
}

func (x *index) spread(relation *catalog.Relation, column string, m mask.Mask, next func(*catalog.Relation) []uint32, seen map[uint32]bool) {
	if relation == nil || seen[relation.OID] {
		return
	}
	seen[relation.OID] = true
	if c := relation.Column(column); c != nil {
		if x.columns[relation.OID] == nil {
			x.columns[relation.OID] = map[int16]choice{}
		}
		known := x.columns[relation.OID][c.Number]
		known.add(m)
		x.columns[relation.OID][c.Number] = known
	}
	for _, oid := range next(relation) {
		x.spread(x.snapshot.Relation(oid), column, m, next, seen)
	}
}

func (x *index) isView(relation *catalog.Relation) bool {
	return relation.Kind == 'v' || relation.Kind == 'm'
}

// view is the strictest mask of what a view depends on, through views of views. The
// dependencies that PostgreSQL keeps name columns, and do not name whole rows where
// they name a column beside: so any relation counts whole.
func (x *index) view(relation *catalog.Relation, seen map[uint32]bool) choice {
	if relation == nil || seen[relation.OID] {
		return choice{}
	}
	if known, ok := x.views[relation.OID]; ok {
		return known
	}
	seen[relation.OID] = true
	var c choice
	for _, own := range x.columns[relation.OID] {
		c.join(own)
	}
	for _, origin := range relation.Reads {
		read := x.snapshot.Relation(origin.Relation)
		if read != nil && x.isView(read) {
			c.join(x.view(read, seen))
		}
		if read != nil {
			c.join(x.row(read.OID))
		}
	}
	if c.made {
		x.views[relation.OID] = c
		x.name(relation, c)
	}
	return c
}

// row is the strictest mask of a relation's columns.
func (x *index) row(oid uint32) choice {
	c := x.views[oid]
	for _, column := range x.columns[oid] {
		c.join(column)
	}
	return c
}

// relation is the strictest mask of what a relation has, by name.
func (x *index) relation(schema, name string) choice {
	return x.relations[catalog.Name{Schema: schema, Name: name}]
}

// touched is relation, and all for one that the catalog does not know: whatever it is,
// it is newer.
func (x *index) touched(schema, name string) choice {
	switch schema {
	case "pg_catalog", "information_schema", "pg_toast":
		return choice{}
	}
	if x.snapshot == nil || x.snapshot.Resolve(nil, schema, name) == nil {
		return x.all
	}
	return x.relation(schema, name)
}

// systemColumns are those that every table has; they hold no value of a user's.
var systemColumns = []string{"tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"}

// use is the mask of a column that a statement names; "*" is any of the relation's.
func (x *index) use(u policy.ColumnUse) choice {
	if m, ok := x.set.Column(u.Schema, u.Relation, u.Column); ok {
		return choice{m, true}
	}
	whole := x.touched(u.Schema, u.Relation)
	if !whole.made || u.Column == "*" || u.Schema == "" || x.snapshot == nil {
		return whole
	}
	relation := x.snapshot.Resolve(nil, u.Schema, u.Relation)
	if relation == nil {
		return whole
	}
	column := relation.Column(u.Column)
	switch {
	case column != nil:
	case slices.Contains(systemColumns, u.Column):
		return choice{}
	default:
		return whole
	}
	c := x.columns[relation.OID][column.Number]
	if x.isView(relation) {
		c.join(x.viewColumn(relation, column.Number))
	}
	return c
}
