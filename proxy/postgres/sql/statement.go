package sql

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
)

// statement gathers what one statement touches.
type statement struct {
	access    map[policy.Access]bool
	functions map[string]bool
	sequences map[string]bool
	// unknown is the first thing that was not understood.
	unknown string
	// changes counts the updates and deletes in it, unfiltered those without a
	// WHERE; filtered says that the outermost select has one.
	changes, unfiltered int
	filtered            bool
}

func newStatement() *statement {
	return &statement{access: map[policy.Access]bool{}, functions: map[string]bool{}, sequences: map[string]bool{}}
}

func (s *statement) action(kind string) policy.Action {
	access := slices.SortedFunc(maps.Keys(s.access), func(a, b policy.Access) int {
		return cmp.Or(cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Privilege, b.Privilege))
	})
	return policy.Action{
		Protocol: protocol, Kind: kind, Unknown: s.unknown,
		Access: access, Functions: slices.Sorted(maps.Keys(s.functions)), Sequences: slices.Sorted(maps.Keys(s.sequences)),
		HasWhere: s.unfiltered == 0 && (s.changes > 0 || s.filtered),
	}
}

// classify walks a statement and returns its kind.
func (s *statement) classify(node *pg_query.Node) string {
	switch stmt := node.GetNode().(type) {
	case *pg_query.Node_SelectStmt:
		return s.selectKind(stmt.SelectStmt)
	case *pg_query.Node_InsertStmt:
		s.visit(stmt.InsertStmt.ProtoReflect(), place{})
		return "insert"
	case *pg_query.Node_UpdateStmt:
		s.visit(stmt.UpdateStmt.ProtoReflect(), place{})
		return "update"
	case *pg_query.Node_DeleteStmt:
		s.visit(stmt.DeleteStmt.ProtoReflect(), place{})
		return "delete"
	case *pg_query.Node_MergeStmt:
		s.visit(stmt.MergeStmt.ProtoReflect(), place{})
		return "merge"
	case *pg_query.Node_CopyStmt:
		return s.copy(stmt.CopyStmt)
	case *pg_query.Node_ExplainStmt:
		return s.explain(stmt.ExplainStmt)
	case *pg_query.Node_DeclareCursorStmt:
		if _, ok := stmt.DeclareCursorStmt.GetQuery().GetNode().(*pg_query.Node_SelectStmt); !ok {
			s.refuse("a cursor over something else than a SELECT")
			return "declare"
		}
		s.classify(stmt.DeclareCursorStmt.Query)
		return "declare"
	case *pg_query.Node_FetchStmt:
		if stmt.FetchStmt.Ismove {
			return "move"
		}
		return "fetch"
	case *pg_query.Node_ClosePortalStmt:
		return "close"
	case *pg_query.Node_TransactionStmt:
		return transactionKind(stmt.TransactionStmt.Kind)
	case *pg_query.Node_VariableSetStmt:
		return s.set(stmt.VariableSetStmt)
	case *pg_query.Node_VariableShowStmt:
		return "show"
	case *pg_query.Node_DeallocateStmt:
		return "deallocate"
	case *pg_query.Node_PrepareStmt:
		s.refuse("PREPARE at SQL level is not understood yet: use the protocol's prepared statements")
		return "prepare"
	case *pg_query.Node_ExecuteStmt:
		s.refuse("EXECUTE at SQL level is not understood yet: use the protocol's prepared statements")
		return "execute"
	default:
		return otherKind(node)
	}
}

func (s *statement) selectKind(stmt *pg_query.SelectStmt) string {
	if into(stmt) {
		return "create table as"
	}
	s.filtered = stmt.WhereClause != nil
	s.visit(stmt.ProtoReflect(), place{})
	if len(stmt.ValuesLists) > 0 {
		return "values"
	}
	return "select"
}

// into finds SELECT … INTO, which stands at the first arm of a UNION.
func into(stmt *pg_query.SelectStmt) bool {
	for ; stmt != nil; stmt = stmt.Larg {
		if stmt.IntoClause != nil {
			return true
		}
	}
	return false
}

// explain is judged by what it explains; with ANALYZE, which runs it, as that.
func (s *statement) explain(stmt *pg_query.ExplainStmt) string {
	kind := s.classify(stmt.Query)
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

// copy is understood to and from the client only.
func (s *statement) copy(stmt *pg_query.CopyStmt) string {
	kind := "copy-to"
	if stmt.IsFrom {
		kind = "copy-from"
	}
	if stmt.Filename != "" || stmt.IsProgram {
		s.refuse(`COPY with a file or a program of the server: use \copy, or COPY … FROM STDIN and TO STDOUT`)
		return kind
	}
	for _, option := range stmt.Options {
		def := option.GetDefElem()
		if !copyOptions[def.GetDefname()] {
			s.refuse("the option %s of COPY", def.GetDefname())
		}
	}
	if stmt.Query != nil {
		if inner := s.classify(stmt.Query); !rowKind(inner) {
			s.refuse("COPY of %s", inner)
		}
		return kind
	}
	privilege := v1alpha1.PrivilegeSelect
	if stmt.IsFrom {
		privilege = v1alpha1.PrivilegeInsert
	}
	s.target(stmt.Relation, privilege)
	s.filtered = stmt.WhereClause != nil
	if s.filtered {
		s.visit(stmt.WhereClause.ProtoReflect(), place{})
		s.target(stmt.Relation, v1alpha1.PrivilegeSelect)
	}
	return kind
}

// copyOptions lacks encoding: what flows then is not what is recorded and masked.
var copyOptions = map[string]bool{
	"format": true, "freeze": true, "delimiter": true, "null": true, "default": true, "header": true, "quote": true, "escape": true,
	"force_quote": true, "force_not_null": true, "force_null": true, "on_error": true, "log_verbosity": true,
}

// target adds a privilege on a relation that is named as a target: a CTE never
// stands for it.
func (s *statement) target(relation *pg_query.RangeVar, privilege v1alpha1.RelationPrivilege) {
	schema, name, err := relationName(relation)
	if err != nil {
		s.refuse("%v", err)
		return
	}
	s.access[policy.Access{Schema: schema, Name: name, Privilege: privilege}] = true
}

// refuse keeps the first reason.
func (s *statement) refuse(format string, args ...any) {
	if s.unknown == "" {
		s.unknown = fmt.Sprintf(format, args...)
	}
}
