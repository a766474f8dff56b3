package sql

import pg_query "github.com/pganalyze/pg_query_go/v6"

// place is what names mean somewhere in a statement: the items of FROM, those of the
// queries around it, and the CTEs.
type place struct {
	outer *place
	items []*item
	ctes  *scope
}

// inside is an empty level within p.
func (p *place) inside() *place { return &place{outer: p, ctes: p.ctes} }

// item is an entry of FROM. Whole says that its name may be used, bare that its
// columns may without it: a join without a name hides the one or the other.
type item struct {
	name        string
	schema      string
	whole, bare bool
	// relation is what it is, if it is one.
	relation *relation
	shape
}

// find is what a column of the item is computed from. exact is false where more
// columns may have the name.
func (i *item) find(name string) (f field, found, exact bool) {
	matches := 0
	for _, one := range i.fields {
		switch {
		case one.wild:
			f.from = append(f.from, one.from...)
		case one.name == name:
			matches++
			f.from, f.plain = append(f.from, one.from...), one.plain
		}
	}
	if matches > 0 {
		f.plain = f.plain && matches == 1 && len(f.from) == 1
		return f, true, true
	}
	if i.relation != nil && i.relation.known != nil && len(i.fields) == 0 {
		if i.relation.known.Column(name) != nil || systemColumns[name] {
			return field{from: []column{i.relation.column(name)}, plain: true}, true, true
		}
		return field{}, false, true
	}
	for _, o := range i.open {
		f.from = append(f.from, o.column(name)...)
	}
	if len(i.open) > 0 || len(f.from) > 0 {
		f.plain = len(i.fields) == 0 && len(i.open) == 1 && i.open[0].relation != ""
		return f, true, false
	}
	if i.relation != nil && systemColumns[name] {
		return field{from: []column{i.relation.column(name)}, plain: true}, true, true
	}
	return field{}, false, true
}

// row is the whole row.
func (i *item) row() []column {
	if i.relation != nil {
		return []column{i.relation.column("*")}
	}
	return i.all()
}

// columns are those of "*" and of whatever else wants each of them.
func (i *item) columns() shape {
	if len(i.fields) > 0 || i.relation == nil || i.relation.known == nil {
		return i.shape
	}
	return shape{fields: i.relation.fields()}
}

var systemColumns = set("ctid", "xmin", "cmin", "xmax", "cmax", "tableoid")

// bareColumn finds what a name alone means: the innermost level that has such a
// column. Levels that may have one leave the search open.
func (p *place) bareColumn(name string) (f field, found bool) {
	open := 0
	for level := p; level != nil; level = level.outer {
		exact := 0
		var here field
		for _, i := range level.items {
			if !i.bare {
				continue
			}
			one, ok, sure := i.find(name)
			switch {
			case !ok:
			case sure && !systemColumns[name]:
				if exact == 0 {
					here = field{}
				}
				exact++
				here.from, here.plain = append(here.from, one.from...), one.plain
			case exact == 0:
				open++
				here.from, here.plain = append(here.from, one.from...), one.plain
			}
		}
		f.from, f.plain = append(f.from, here.from...), here.plain
		if exact > 0 {
			f.plain = f.plain && exact == 1 && open == 0 && len(f.from) == 1
			return f, true
		}
	}
	f.plain = f.plain && open == 1 && len(f.from) == 1 && p.named(name) == nil
	return f, open > 0
}

// named is the item of a name, the innermost; of a relation without a name of its
// own it is the relation's.
func (p *place) named(name string) *item { return p.look("", name) }

func (p *place) look(schema, name string) *item {
	for level := p; level != nil; level = level.outer {
		for _, i := range level.items {
			if i.whole && i.name == name && (schema == "" || i.schema == schema) {
				return i
			}
		}
	}
	return nil
}

// everything is all that could be meant where nothing is found.
func (p *place) everything() []column {
	var out columns
	for level := p; level != nil; level = level.outer {
		for _, i := range level.items {
			out.add(i.row()...)
		}
	}
	return out.list
}

// scope is the CTEs of one WITH, inside those of the query around it.
type scope struct {
	outer *scope
	ctes  map[string]*cte
}

func (s *scope) find(name string) *cte {
	for ; s != nil; s = s.outer {
		if c := s.ctes[name]; c != nil {
			return c
		}
	}
	return nil
}

// cte is one query of a WITH. Until it is done its result is what is known so far.
type cte struct {
	node   *pg_query.CommonTableExpr
	at     *place
	result shape
	// recurs says that it was named between begun and done.
	begun, done, recurs bool
}

// aliasNames are the columns that an alias lists; nil for none.
func aliasNames(nodes []*pg_query.Node) []string {
	if len(nodes) == 0 {
		return nil
	}
	return parts(nodes)
}
