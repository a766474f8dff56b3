package sql

import (
	"cmp"
	"slices"

	"github.com/sallyport/sallyport/internal/policy"
)

// column is a column of a relation; name "*" is all of them, or one that could not
// be told.
type column struct{ schema, relation, name string }

func (c column) use(use policy.Use) policy.ColumnUse {
	return policy.ColumnUse{Schema: c.schema, Relation: c.relation, Column: c.name, Use: use}
}

// columns is a set: what a value is computed from.
type columns struct {
	list []column
	seen map[column]bool
}

// few is how many a set holds before it looks them up by hash.
const few = 12

func (c *columns) add(more ...column) {
	for _, one := range more {
		if c.seen != nil {
			if c.seen[one] {
				continue
			}
			c.seen[one] = true
		} else if slices.Contains(c.list, one) {
			continue
		}
		c.list = append(c.list, one)
		if c.seen == nil && len(c.list) > few {
			c.seen = make(map[column]bool, 2*len(c.list))
			for _, known := range c.list {
				c.seen[known] = true
			}
		}
	}
}

// field is a column of something that can stand in FROM. Plain says that it is the
// one column itself. The name of a wild one is not known.
type field struct {
	name  string
	from  []column
	plain bool
	wild  bool
}

// source is where fields come from whose names and number are not known: a
// relation's own columns, or what was computed from others.
type source struct {
	schema, relation string
	from             []column
}

func (s source) column(name string) []column {
	if s.relation != "" {
		return []column{{s.schema, s.relation, name}}
	}
	return s.from
}

// shape is the columns of a result. With sources there are more than the fields, at
// places that are not known.
type shape struct {
	fields []field
	open   []source
}

// all is everything that any of its columns is computed from.
func (s shape) all() []column {
	if len(s.fields) == 1 && len(s.open) == 0 {
		return s.fields[0].from
	}
	var out columns
	for _, f := range s.fields {
		out.add(f.from...)
	}
	for _, o := range s.open {
		out.add(o.column("*")...)
	}
	return out.list
}

// renamed is the shape under a list of column names, which may be shorter.
func (s shape) renamed(names []string) shape {
	if len(names) == 0 {
		return s
	}
	out := shape{open: s.open}
	if len(s.open) > 0 {
		// Which columns these are cannot be told, and any other may follow.
		all := s.all()
		for _, name := range names {
			out.fields = append(out.fields, field{name: name, from: all})
		}
		out.fields = append(out.fields, s.fields...)
		return out
	}
	out.fields = slices.Clone(s.fields)
	for i := range min(len(names), len(out.fields)) {
		out.fields[i].name, out.fields[i].wild = names[i], false
	}
	return out
}

// use notes what is done with columns.
func (s *statement) use(from []column, use policy.Use) {
	if s.spend(len(from)) {
		return
	}
	for _, c := range from {
		s.uses[c.use(use)] = true
	}
}

// mention notes columns that a statement reads in whatever way.
func (s *statement) mention(from []column) {
	if s.spend(len(from)) {
		return
	}
	s.mentioned.add(from...)
}

// maxWork bounds the following of columns: queries in queries can double them at
// every level.
const maxWork = 2_000_000

// spend counts work, and says whether there was too much.
func (s *statement) spend(work int) bool {
	s.work += work + 1
	if s.work > maxWork {
		s.refuse("too many columns to follow")
		return true
	}
	return false
}

// columnUses are the uses in order. What is read with no use of its own comes out
// in some way that is not worth telling apart.
func (s *statement) columnUses() []policy.ColumnUse {
	used := make(map[column]bool, len(s.uses))
	out := make([]policy.ColumnUse, 0, len(s.uses)+len(s.mentioned.list))
	for u := range s.uses {
		out = append(out, u)
		if u.Use != policy.UseWrite {
			used[column{u.Schema, u.Relation, u.Column}] = true
		}
	}
	for _, c := range s.mentioned.list {
		if !used[c] {
			out = append(out, c.use(policy.UseOutput))
		}
	}
	slices.SortFunc(out, func(a, b policy.ColumnUse) int {
		return cmp.Or(cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Relation, b.Relation), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Use, b.Use))
	})
	return slices.Compact(out)
}

// comesOut notes that a result reaches the client, and what its columns are.
func (s *statement) comesOut(result shape) {
	s.use(result.all(), policy.UseOutput)
	if len(result.open) > 0 || result.fields == nil {
		return
	}
	s.outputs = make([]Output, len(result.fields))
	for i, f := range result.fields {
		if s.spend(len(f.from)) {
			s.outputs = nil
			return
		}
		var from columns
		from.add(f.from...)
		o := Output{Plain: f.plain && len(from.list) == 1}
		for _, c := range from.list {
			o.Columns = append(o.Columns, c.use(policy.UseOutput))
		}
		s.outputs[i] = o
	}
}
