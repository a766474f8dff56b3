package sql

import (
	"strconv"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"github.com/sallyport/sallyport/internal/policy"
)

func columnName(i int) string { return "column" + strconv.Itoa(i+1) }

// order follows ORDER BY: an output's name or number, or an expression.
func (s *statement) order(list []*pg_query.Node, p *place, result shape) {
	for _, node := range list {
		sort := node.GetSortBy()
		if sort == nil {
			s.refuse("%s in ORDER BY", words(nodeName(node)))
			continue
		}
		s.operator(sort.UseOp)
		s.symbol("<")
		s.symbol(">")
		s.outputOr(sort.Node, p, result)
	}
}

func (s *statement) distinct(list []*pg_query.Node, p *place, result shape) {
	for _, node := range list {
		if node.GetNode() == nil {
			// DISTINCT without ON is a list of one empty node.
			s.use(result.all(), policy.UseFilter)
			continue
		}
		s.outputOr(node, p, result)
	}
}

func (s *statement) group(list []*pg_query.Node, p *place, result shape) {
	for _, node := range list {
		if set := node.GetGroupingSet(); set != nil {
			s.group(set.Content, p, result)
			continue
		}
		if list := node.GetList(); list != nil {
			s.group(list.Items, p, result)
			continue
		}
		if row := node.GetRowExpr(); row != nil {
			s.group(row.Args, p, result)
			continue
		}
		s.outputOr(node, p, result)
	}
}

// outputOr follows what may be a column of the result, by name or number, and may be
// an expression over FROM. Where it may be either it counts as both.
func (s *statement) outputOr(node *pg_query.Node, p *place, result shape) {
	if number := node.GetAConst(); number != nil {
		if at := int(number.GetIval().GetIval()); at >= 1 && at <= len(result.fields) && len(result.open) == 0 {
			s.use(result.fields[at-1].from, policy.UseFilter)
			return
		}
		s.use(result.all(), policy.UseFilter)
		return
	}
	if fields := node.GetColumnRef().GetFields(); len(fields) == 1 && fields[0].GetAStar() == nil {
		name, matched := fields[0].GetString_().GetSval(), false
		for _, f := range result.fields {
			if f.name == name || f.wild {
				matched = matched || !f.wild
				s.use(f.from, policy.UseFilter)
			}
		}
		if matched {
			if f, found := p.bareColumn(name); found {
				s.use(f.from, policy.UseFilter)
			}
			return
		}
	}
	s.filter(node, p)
}

// window follows the definition of a window.
func (s *statement) window(def *pg_query.WindowDef, p *place) {
	if def == nil {
		return
	}
	var read columns
	s.expressions(def.PartitionClause, p, &read)
	s.sorts(def.OrderClause, p, &read)
	s.expr(def.StartOffset, p, &read)
	s.expr(def.EndOffset, p, &read)
	s.use(read.list, policy.UseFilter)
}

// sorts follows an ORDER BY that knows no output: of an aggregate or a window.
func (s *statement) sorts(list []*pg_query.Node, p *place, into *columns) {
	for _, node := range list {
		sort := node.GetSortBy()
		if sort == nil {
			s.refuse("%s in ORDER BY", words(nodeName(node)))
			continue
		}
		s.operator(sort.UseOp)
		s.symbol("<")
		s.symbol(">")
		s.expr(sort.Node, p, into)
	}
}
