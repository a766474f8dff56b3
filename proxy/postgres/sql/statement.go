package sql

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"github.com/sallyport/sallyport/internal/policy"
)

// statement gathers what one statement touches.
type statement struct {
	in   Session
	path []string
	// text is the statement's own.
	text string

	access    map[policy.Access]bool
	uses      map[policy.ColumnUse]bool
	mentioned columns
	functions map[string]bool
	calls     map[policy.Call]bool
	sequences map[string]bool
	settings  []string
	outputs   []Output
	// unknown is the first thing that was not understood, opaque the first that
	// cannot be looked into.
	unknown, opaque string
	// changes counts the updates and deletes in it, unfiltered those without a
	// WHERE; filtered says that the outermost select has one, limited a LIMIT.
	changes, unfiltered int
	filtered, limited   bool
	// into is the SELECT that may have INTO; recursive the CTEs by their queries.
	into      *pg_query.SelectStmt
	recursive map[*pg_query.SelectStmt]*cte
	work      int
	// effects counts calls that do more than compute.
	effects int

	node, prepares          string
	movesPath, movesCatalog bool
}

func newStatement(in Session, path []string, text string) *statement {
	return &statement{
		in: in, path: path, text: text,
		access: map[policy.Access]bool{}, uses: map[policy.ColumnUse]bool{},
		functions: map[string]bool{}, calls: map[policy.Call]bool{}, sequences: map[string]bool{},
	}
}

func (s *statement) action(kind string) policy.Action {
	access := slices.SortedFunc(maps.Keys(s.access), func(a, b policy.Access) int {
		return cmp.Or(cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Privilege, b.Privilege))
	})
	calls := slices.SortedFunc(maps.Keys(s.calls), func(a, b policy.Call) int {
		return cmp.Or(cmp.Compare(a.Function, b.Function), cmp.Compare(a.Volatility, b.Volatility))
	})
	slices.Sort(s.settings)
	return policy.Action{
		Protocol: protocol, Kind: kind, Unknown: s.unknown, Opaque: s.opaque, NoCatalog: s.in.Catalog == nil,
		Access: access, Columns: s.columnUses(), Functions: slices.Sorted(maps.Keys(s.functions)), Calls: calls,
		Sequences: slices.Sorted(maps.Keys(s.sequences)), Settings: slices.Compact(s.settings),
		HasWhere: s.unfiltered == 0 && (s.changes > 0 || s.filtered), HasLimit: s.limited,
	}
}

// refuse keeps the first reason.
func (s *statement) refuse(format string, args ...any) {
	if s.unknown == "" {
		s.unknown = fmt.Sprintf(format, args...)
	}
}

// beyond refuses what only an unrestricted grant covers.
func (s *statement) beyond(format string, args ...any) {
	if !s.in.Unrestricted {
		s.refuse(format, args...)
	}
}

// obscure says that something runs which cannot be looked into: it may do anything.
func (s *statement) obscure(why string) {
	if s.opaque == "" {
		s.opaque = why
	}
	s.movesPath, s.movesCatalog = true, true
}

// classify follows a statement and returns its kind.
func (s *statement) classify(node *pg_query.Node) string {
	switch stmt := node.GetNode().(type) {
	case *pg_query.Node_SelectStmt:
		return s.selectKind(stmt.SelectStmt)
	case *pg_query.Node_InsertStmt:
		s.comesOut(s.insert(stmt.InsertStmt, &place{}))
		return "insert"
	case *pg_query.Node_UpdateStmt:
		s.comesOut(s.update(stmt.UpdateStmt, &place{}))
		return "update"
	case *pg_query.Node_DeleteStmt:
		s.comesOut(s.delete(stmt.DeleteStmt, &place{}))
		return "delete"
	case *pg_query.Node_MergeStmt:
		s.comesOut(s.merge(stmt.MergeStmt, &place{}))
		return "merge"
	case *pg_query.Node_CopyStmt:
		return s.copy(stmt.CopyStmt)
	case *pg_query.Node_ExplainStmt:
		return s.explain(stmt.ExplainStmt)
	case *pg_query.Node_VariableSetStmt:
		return s.set(stmt.VariableSetStmt)
	case *pg_query.Node_VariableShowStmt:
		s.outputs = []Output{{}}
		return "show"
	default:
		if kind, ok := s.sessionKind(node); ok {
			return kind
		}
		return s.define(node)
	}
}

func (s *statement) selectKind(stmt *pg_query.SelectStmt) string {
	s.filtered = stmt.WhereClause != nil
	s.limited = limits(stmt.LimitCount)
	if at := into(stmt); at != nil {
		s.into = at
		s.created(at.IntoClause.Rel)
		s.use(s.query(stmt, &place{}, false).all(), policy.UseCopy)
		return "create table as"
	}
	s.comesOut(s.query(stmt, &place{}, false))
	if len(stmt.ValuesLists) > 0 {
		return "values"
	}
	return "select"
}

// limits says whether a LIMIT is there, and not LIMIT ALL.
func limits(count *pg_query.Node) bool {
	return count != nil && !count.GetAConst().GetIsnull()
}

// into finds SELECT … INTO, which stands at the first arm of a UNION.
func into(stmt *pg_query.SelectStmt) *pg_query.SelectStmt {
	for ; stmt != nil; stmt = stmt.Larg {
		if stmt.IntoClause != nil {
			return stmt
		}
	}
	return nil
}

// explain is judged by what it explains; with ANALYZE, which runs it, as that. What
// comes out is a plan, and rows of no table.
func (s *statement) explain(stmt *pg_query.ExplainStmt) string {
	kind := s.classify(stmt.Query)
	s.outputs = []Output{{}}
	if kind == "declare" {
		// No cursor of that name is made.
		s.node = ""
	}
	if !rowKind(kind) {
		return kind
	}
	for _, option := range stmt.Options {
		if def := option.GetDefElem(); def.GetDefname() == "analyze" && !isFalse(def) {
			return kind
		}
	}
	return "explain"
}

func rowKind(kind string) bool {
	switch kind {
	case "select", "values", "insert", "update", "delete", "merge", "declare":
		return true
	default:
		return false
	}
}
