package sql

import (
	"slices"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
)

// locking is what of a FROM is locked, which PostgreSQL lets only those do who may
// UPDATE: everything, or the items that a lock names.
type locking struct {
	all  bool
	lock *lock
}

func (l locking) covers(name string) bool { return l.lock.covers(name) || l.all }

// from adds the items of a FROM to a place, in order: LATERAL sees those before.
func (s *statement) from(nodes []*pg_query.Node, p *place, l locking) {
	for _, node := range nodes {
		p.items = append(p.items, s.fromItem(node, p, l)...)
	}
}

// fromItem is the items that names of one entry of FROM mean.
func (s *statement) fromItem(node *pg_query.Node, p *place, l locking) []*item {
	switch n := node.GetNode().(type) {
	case *pg_query.Node_RangeVar:
		return []*item{s.rangeVar(n.RangeVar, p, l)}
	case *pg_query.Node_JoinExpr:
		return s.join(n.JoinExpr, p, l)
	case *pg_query.Node_RangeSubselect:
		return []*item{s.subselect(n.RangeSubselect, p, l)}
	case *pg_query.Node_RangeFunction:
		return []*item{s.tableFunctions(n.RangeFunction, p)}
	case *pg_query.Node_RangeTableSample:
		s.sample(n.RangeTableSample)
		var read columns
		s.expressions(n.RangeTableSample.Args, p, &read)
		s.expr(n.RangeTableSample.Repeatable, p, &read)
		s.use(read.list, policy.UseFilter)
		return s.fromItem(n.RangeTableSample.Relation, p, l)
	case *pg_query.Node_RangeTableFunc:
		return []*item{s.xmlTable(n.RangeTableFunc, p)}
	case *pg_query.Node_JsonTable:
		s.constructor("json_table", "json table in the statement")
		var read columns
		s.beneath(n.JsonTable.ProtoReflect(), p, &read)
		s.use(read.list, policy.UseFilter)
		return []*item{derived(n.JsonTable.Alias, shape{open: []source{{from: read.list}}})}
	default:
		s.refuse("%s in FROM", words(nodeName(node)))
		return nil
	}
}

// derived is an item that is no relation.
func derived(alias *pg_query.Alias, result shape) *item {
	return &item{
		name: alias.GetAliasname(), whole: true, bare: true,
		shape: result.renamed(aliasNames(alias.GetColnames())),
	}
}

// rangeVar is a CTE or a relation, which is read.
func (s *statement) rangeVar(node *pg_query.RangeVar, p *place, l locking) *item {
	locked := l.covers(itemName(node))
	if node.Schemaname == "" {
		if c := p.ctes.find(node.Relname); c != nil {
			i := derived(node.Alias, s.cteResult(c))
			i.name = itemName(node)
			return i
		}
	}
	r := s.target(node, v1alpha1.PrivilegeSelect)
	if locked {
		s.touch(r, v1alpha1.PrivilegeUpdate)
	}
	i := targetItem(node, r)
	if names := aliasNames(node.GetAlias().GetColnames()); names != nil {
		i.shape = i.columns().renamed(names)
	}
	return i
}

func (s *statement) subselect(node *pg_query.RangeSubselect, p *place, l locking) *item {
	at := p
	if !node.Lateral {
		at = &place{outer: p.outer, ctes: p.ctes}
	}
	query := node.GetSubquery().GetSelectStmt()
	if query == nil {
		s.refuse("something else than a query in FROM")
		return derived(node.Alias, shape{})
	}
	locked := l.covers(node.GetAlias().GetAliasname())
	return derived(node.Alias, s.query(query, at.inside(), locked))
}

// join is the items of both sides. Where columns merge (USING, NATURAL), or the join
// has a name, an item of its own has the columns.
func (s *statement) join(node *pg_query.JoinExpr, p *place, l locking) []*item {
	sides := &place{outer: p.outer, ctes: p.ctes, items: slices.Clone(p.items)}
	before := len(sides.items)
	left := s.fromItem(node.Larg, sides, l)
	sides.items = append(sides.items, left...)
	right := s.fromItem(node.Rarg, sides, l)
	both := append(slices.Clip(left), right...)
	sides.items = append(sides.items[:before:before], both...)
	if node.Quals != nil {
		s.filter(node.Quals, &place{outer: p.outer, ctes: p.ctes, items: both})
	}
	merged, using := s.merged(node, left, right)
	if node.Alias == nil && !using {
		return both
	}
	joined := derived(node.Alias, merged)
	joined.whole = node.Alias != nil
	for i, one := range both {
		hidden := *one
		hidden.bare = false
		hidden.whole = one.whole && node.Alias == nil
		both[i] = &hidden
	}
	both = append(both, joined)
	if alias := node.GetJoinUsingAlias().GetAliasname(); alias != "" {
		columns := shape{fields: merged.fields[:min(len(node.UsingClause), len(merged.fields))]}
		both = append(both, &item{name: alias, whole: true, shape: columns})
	}
	return both
}

// merged is the columns of a join, and whether some merge.
func (s *statement) merged(node *pg_query.JoinExpr, left, right []*item) (shape, bool) {
	l, r := bareColumns(left), bareColumns(right)
	names := parts(node.UsingClause)
	if len(names) == 0 && !node.IsNatural {
		if node.Alias == nil {
			return shape{}, false
		}
		return shape{fields: append(slices.Clip(l.fields), r.fields...), open: append(slices.Clip(l.open), r.open...)}, true
	}
	s.symbol("=")
	if node.IsNatural {
		if len(l.open)+len(r.open) > 0 {
			s.use(l.all(), policy.UseFilter)
			s.use(r.all(), policy.UseFilter)
			return shape{fields: append(slices.Clip(l.fields), r.fields...), open: append(slices.Clip(l.open), r.open...)}, true
		}
		names = common(l, r)
	}
	out := shape{open: append(slices.Clip(l.open), r.open...)}
	atLeft, atRight := &place{items: left}, &place{items: right}
	for _, name := range names {
		var from columns
		for _, side := range []*place{atLeft, atRight} {
			f, found := side.bareColumn(name)
			if !found {
				f.from = side.everything()
			}
			from.add(f.from...)
		}
		s.mention(from.list)
		s.use(from.list, policy.UseFilter)
		out.fields = append(out.fields, field{name: name, from: from.list})
	}
	for _, side := range []shape{l, r} {
		for _, f := range side.fields {
			if f.wild || !slices.Contains(names, f.name) {
				out.fields = append(out.fields, f)
			}
		}
	}
	return out, true
}

// common are the names that both sides have, in the order of the left.
func common(l, r shape) []string {
	has := make(map[string]bool, len(r.fields))
	for _, f := range r.fields {
		has[f.name] = true
	}
	var names []string
	for _, f := range l.fields {
		if has[f.name] && !slices.Contains(names, f.name) {
			names = append(names, f.name)
		}
	}
	return names
}

// bareColumns are the columns that "*" gives, in order.
func bareColumns(items []*item) shape {
	var out shape
	for _, i := range items {
		if i.bare {
			columns := i.columns()
			out.fields = append(out.fields, columns.fields...)
			out.open = append(out.open, columns.open...)
		}
	}
	return out
}

// xmlTable computes each column from the document.
func (s *statement) xmlTable(node *pg_query.RangeTableFunc, p *place) *item {
	var read columns
	s.expr(node.Docexpr, p, &read)
	s.expr(node.Rowexpr, p, &read)
	s.expressions(node.Namespaces, p, &read)
	var names []string
	for _, one := range node.Columns {
		c := one.GetRangeTableFuncCol()
		if c == nil {
			s.refuse("a column of XMLTABLE")
			continue
		}
		s.typeName(c.TypeName)
		s.expr(c.Colexpr, p, &read)
		s.expr(c.Coldefexpr, p, &read)
		names = append(names, c.Colname)
	}
	// How many rows come is said by the document.
	s.use(read.list, policy.UseFilter)
	var out shape
	for _, name := range names {
		out.fields = append(out.fields, field{name: name, from: read.list})
	}
	i := derived(node.Alias, out)
	if i.name == "" {
		i.name = "xmltable"
	}
	return i
}
