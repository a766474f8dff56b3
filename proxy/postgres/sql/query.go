package sql

import (
	"slices"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"github.com/sallyport/sallyport/internal/policy"
)

// workOfQuery is about what a query costs beside its columns.
const workOfQuery = 10

// query follows a SELECT, VALUES or set operation. p is its own level, empty yet.
func (s *statement) query(stmt *pg_query.SelectStmt, p *place, locked bool) shape {
	if s.spend(workOfQuery) {
		return shape{}
	}
	if stmt.IntoClause != nil && stmt != s.into {
		s.refuse("SELECT INTO inside another statement")
	}
	s.with(stmt.WithClause, p)
	var result shape
	switch {
	case stmt.Larg != nil || stmt.Rarg != nil:
		result = s.combined(stmt, p, locked)
	case len(stmt.ValuesLists) > 0:
		result = s.values(stmt.ValuesLists, p)
	default:
		return s.selected(stmt, p, locked)
	}
	s.lockOf(stmt.LockingClause).check(s)
	// ORDER BY sees the names of the result only.
	s.order(stmt.SortClause, &place{outer: p.outer, ctes: p.ctes, items: []*item{{whole: false, bare: true, shape: result}}}, result)
	s.limits(stmt, p)
	return result
}

func (s *statement) selected(stmt *pg_query.SelectStmt, p *place, locked bool) shape {
	lock := s.lockOf(stmt.LockingClause)
	s.from(stmt.FromClause, p, locking{all: locked || lock.everything(), lock: lock})
	lock.check(s)
	s.filter(stmt.WhereClause, p)
	result := s.targets(stmt.TargetList, p)
	s.group(stmt.GroupClause, p, result)
	s.filter(stmt.HavingClause, p)
	for _, node := range stmt.WindowClause {
		s.window(node.GetWindowDef(), p)
	}
	s.distinct(stmt.DistinctClause, p, result)
	s.order(stmt.SortClause, p, result)
	s.limits(stmt, p)
	return result
}

func (s *statement) limits(stmt *pg_query.SelectStmt, p *place) {
	s.filter(stmt.LimitCount, p)
	s.filter(stmt.LimitOffset, p)
}

// filter follows an expression that decides which rows come out, or in which order.
func (s *statement) filter(node *pg_query.Node, p *place) {
	if node == nil {
		return
	}
	var read columns
	s.expr(node, p, &read)
	s.use(read.list, policy.UseFilter)
}

// combined is a set operation. All but UNION ALL compare the rows.
func (s *statement) combined(stmt *pg_query.SelectStmt, p *place, locked bool) shape {
	arm := func(stmt *pg_query.SelectStmt) shape {
		if stmt == nil {
			s.refuse("a set operation without an arm")
			return shape{}
		}
		return s.query(stmt, &place{outer: p.outer, ctes: p.ctes}, locked)
	}
	result := arm(stmt.Larg)
	if c := s.recursive[stmt]; c != nil {
		// What the left arm gives flows through the right one until nothing is new.
		for {
			c.result = result.renamed(aliasNames(c.node.Aliascolnames))
			grown := union(result, arm(stmt.Rarg))
			done := !c.recurs || size(grown) == size(result)
			result = grown
			if done || s.spend(size(result)) {
				break
			}
		}
	} else {
		result = union(result, arm(stmt.Rarg))
	}
	if s.spend(size(result)) {
		return shape{}
	}
	if !stmt.All || stmt.Op != pg_query.SetOperation_SETOP_UNION {
		s.use(result.all(), policy.UseFilter)
	}
	return result
}

// union puts the columns of two results together, one by one.
func union(l, r shape) shape {
	if len(l.open)+len(r.open) > 0 {
		out := shape{open: []source{{from: append(slices.Clip(l.all()), r.all()...)}}}
		if len(l.open) == 0 {
			all := out.open[0].from
			for _, f := range l.fields {
				out.fields = append(out.fields, field{name: f.name, from: all, wild: f.wild})
			}
		}
		return out
	}
	out := shape{fields: make([]field, len(l.fields))}
	for i, f := range l.fields {
		var from columns
		from.add(f.from...)
		if i < len(r.fields) {
			from.add(r.fields[i].from...)
		}
		out.fields[i] = field{name: f.name, from: from.list, wild: f.wild}
	}
	return out
}

// size counts what columns of a result are computed from.
func size(r shape) int {
	n := 0
	for _, f := range r.fields {
		n += len(f.from)
	}
	var open columns
	for _, o := range r.open {
		open.add(o.column("*")...)
	}
	return n + len(open.list)
}

func (s *statement) values(rows []*pg_query.Node, p *place) shape {
	var read []columns
	for _, row := range rows {
		for i, value := range row.GetList().GetItems() {
			if i == len(read) {
				read = append(read, columns{})
			}
			s.expr(value, p, &read[i])
		}
	}
	var out shape
	for i, one := range read {
		out.fields = append(out.fields, field{name: columnName(i), from: one.list})
	}
	return out
}

// maxTargets is MaxTupleAttributeNumber: PostgreSQL takes no wider result.
const maxTargets = 1664

// targets is the columns of a target list.
func (s *statement) targets(list []*pg_query.Node, p *place) shape {
	out := shape{fields: make([]field, 0, len(list))}
	for _, node := range list {
		target := node.GetResTarget()
		if target == nil {
			s.refuse("%s in a list of targets", words(nodeName(node)))
			continue
		}
		if more, ok := s.expand(target.Val, p); ok {
			s.mention(more.all())
			out.fields = append(out.fields, more.fields...)
			out.open = append(out.open, more.open...)
			if len(out.fields) > maxTargets {
				s.refuse("more columns than PostgreSQL takes")
				return shape{}
			}
		} else {
			out.fields = append(out.fields, s.column(target, p))
		}
	}
	return out
}

// column is one target.
func (s *statement) column(target *pg_query.ResTarget, p *place) field {
	f := field{name: target.Name}
	if f.name == "" {
		f.name, f.wild = targetName(target.Val)
	}
	if reference := target.Val.GetColumnRef(); reference != nil {
		f.from, f.plain = s.reference(reference, p)
		return f
	}
	var read columns
	if indirection := target.Val.GetAIndirection(); indirection != nil {
		f.plain = s.indirection(indirection, p, &read)
	} else {
		s.expr(target.Val, p, &read)
	}
	f.from = read.list
	return f
}

// expand is what "*", "t.*" and "(row).*" stand for.
func (s *statement) expand(node *pg_query.Node, p *place) (shape, bool) {
	if reference := node.GetColumnRef(); reference != nil {
		fields := reference.Fields
		if n := len(fields); n == 0 || fields[n-1].GetAStar() == nil {
			return shape{}, false
		} else if n == 1 {
			return bareColumns(p.items), true
		}
		if i := s.itemOf(parts(fields[:len(fields)-1]), p); i != nil {
			return i.columns(), true
		}
		return shape{open: []source{{from: p.everything()}}}, true
	}
	indirection := node.GetAIndirection()
	if n := len(indirection.GetIndirection()); n == 0 || indirection.Indirection[n-1].GetAStar() == nil {
		return shape{}, false
	} else if n == 1 {
		if i := s.rowItem(indirection.Arg, p); i != nil {
			return i.columns(), true
		}
	}
	var read columns
	s.expr(node, p, &read)
	return shape{open: []source{{from: read.list}}}, true
}

// itemOf is the item that the names in front of a column mean.
func (s *statement) itemOf(names []string, p *place) *item {
	if len(names) == 1 {
		return p.named(names[0])
	}
	return p.look(names[len(names)-2], names[len(names)-1])
}
