package sql

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"
)

// with makes the CTEs known at p. Without RECURSIVE one sees those before it, and
// its own name still means a table.
func (s *statement) with(clause *pg_query.WithClause, p *place) {
	if clause == nil {
		return
	}
	inside := &scope{outer: p.ctes, ctes: make(map[string]*cte, len(clause.Ctes))}
	list := make([]*cte, 0, len(clause.Ctes))
	for _, node := range clause.Ctes {
		if node.GetCommonTableExpr() == nil {
			s.refuse("a WITH that names no query")
			continue
		}
		c := &cte{node: node.GetCommonTableExpr(), at: &place{outer: p.outer, ctes: inside}}
		list = append(list, c)
		if clause.Recursive {
			inside.ctes[c.node.Ctename] = c
		}
	}
	for _, c := range list {
		s.cteResult(c)
		inside.ctes[c.node.Ctename] = c
	}
	p.ctes = inside
}

// cteResult follows the query of a CTE when it is first named: with RECURSIVE that
// may be before its place, or within itself.
func (s *statement) cteResult(c *cte) shape {
	if c.begun {
		c.recurs = c.recurs || !c.done
		return c.result
	}
	c.begun = true
	names := aliasNames(c.node.Aliascolnames)
	level := c.at.inside()
	level.outer = c.at.outer
	var result shape
	switch query := c.node.GetCtequery().GetNode().(type) {
	case *pg_query.Node_SelectStmt:
		if s.recursive == nil {
			s.recursive = map[*pg_query.SelectStmt]*cte{}
		}
		s.recursive[query.SelectStmt] = c
		result = s.query(query.SelectStmt, level, false)
	case *pg_query.Node_InsertStmt:
		result = s.insert(query.InsertStmt, level)
	case *pg_query.Node_UpdateStmt:
		result = s.update(query.UpdateStmt, level)
	case *pg_query.Node_DeleteStmt:
		result = s.delete(query.DeleteStmt, level)
	case *pg_query.Node_MergeStmt:
		result = s.merge(query.MergeStmt, level)
	default:
		s.refuse("%s in WITH", words(nodeName(c.node.GetCtequery())))
	}
	c.result, c.done = s.searched(c, result.renamed(names)), true
	return c.result
}

// searched adds the columns of SEARCH and CYCLE.
func (s *statement) searched(c *cte, result shape) shape {
	search, cycle := c.node.SearchClause, c.node.CycleClause
	if search == nil && cycle == nil {
		return result
	}
	var read columns
	if cycle != nil {
		s.expr(cycle.CycleMarkValue, c.at, &read)
		s.expr(cycle.CycleMarkDefault, c.at, &read)
	}
	read.add(result.all()...)
	out := shape{fields: append([]field(nil), result.fields...), open: result.open}
	add := func(name string) { out.fields = append(out.fields, field{name: name, from: read.list}) }
	if search != nil {
		add(search.SearchSeqColumn)
	}
	if cycle != nil {
		add(cycle.CycleMarkColumn)
		add(cycle.CyclePathColumn)
	}
	return out
}
