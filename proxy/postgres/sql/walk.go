package sql

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// place is where in a statement the walk is.
type place struct {
	// ctes that a name may mean here.
	ctes *scope
	// locked says that rows of every relation here are locked (FOR UPDATE, FOR
	// SHARE), which PostgreSQL lets only those do who may UPDATE; lock, that those
	// are which it covers.
	locked bool
	lock   *lock
}

// expression is the same place for what is no item of FROM.
func (p place) expression() place { return place{ctes: p.ctes} }

// scope is the CTEs of one WITH, inside those of the query around it.
type scope struct {
	outer *scope
	names map[string]bool
}

func (s *scope) has(name string) bool {
	for ; s != nil; s = s.outer {
		if s.names[name] {
			return true
		}
	}
	return false
}

// visit walks a node and all beneath it. Nodes that name something are read; those
// on the list of plain nodes are passed through; all else is not understood.
func (s *statement) visit(m protoreflect.Message, at place) {
	switch node := m.Interface().(type) {
	case *pg_query.Node:
		if node.GetNode() == nil {
			// So the parser hands over what it has no form for.
			s.refuse("an empty node in the statement")
			return
		}
		s.children(m, at)
	case *pg_query.List:
		s.children(m, at)
	case *pg_query.A_Const, *pg_query.ColumnRef, *pg_query.ParamRef, *pg_query.String, *pg_query.Alias:
	case *pg_query.SelectStmt:
		s.query(node, at)
	case *pg_query.InsertStmt:
		s.insert(node, at)
	case *pg_query.UpdateStmt:
		s.update(node, at)
	case *pg_query.DeleteStmt:
		s.delete(node, at)
	case *pg_query.MergeStmt:
		s.merge(node, at)
	case *pg_query.RangeVar:
		s.read(node, at)
	case *pg_query.RangeSubselect:
		s.children(m, place{ctes: at.ctes, locked: at.locked || at.lock.covers(node.GetAlias().GetAliasname())})
	case *pg_query.FuncCall:
		s.call(node, at)
	case *pg_query.TypeName:
		s.typeName(node)
		s.children(m, at.expression(), "names")
	case *pg_query.A_Expr:
		s.operator(node.Name)
		s.children(m, at.expression(), "name")
	case *pg_query.SubLink:
		s.operator(node.OperName)
		s.children(m, at.expression(), "oper_name")
	case *pg_query.SortBy:
		s.operator(node.UseOp)
		s.children(m, at.expression(), "use_op")
	case *pg_query.RangeFunction:
		s.tableFunctions(node, at)
	case *pg_query.RangeTableSample:
		s.sample(node)
		s.children(m, at, "method")
	default:
		name := m.Descriptor().Name()
		if !plain[name] {
			s.refuse("%s in the statement", words(string(name)))
			return
		}
		if name != "JoinExpr" {
			at = at.expression()
		}
		s.children(m, at)
	}
}

// children visits every message beneath, but for the fields named.
func (s *statement) children(m protoreflect.Message, at place, except ...protoreflect.Name) {
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Message() == nil {
			return true
		}
		for _, name := range except {
			if field.Name() == name {
				return true
			}
		}
		if field.IsList() {
			list := value.List()
			for i := range list.Len() {
				s.visit(list.Get(i).Message(), at)
			}
			return true
		}
		s.visit(value.Message(), at)
		return true
	})
}

// plain nodes name nothing by themselves. SQL/JSON's constructors and functions
// are left out: a server before PostgreSQL 16 or 17 reads them as calls of
// functions by those names.
var plain = map[protoreflect.Name]bool{
	"Integer": true, "Float": true, "Boolean": true, "BitString": true, "A_Star": true,
	"ResTarget": true, "MultiAssignRef": true, "SetToDefault": true, "CurrentOfExpr": true,
	"BoolExpr": true, "NullTest": true, "BooleanTest": true, "CaseExpr": true, "CaseWhen": true,
	"CoalesceExpr": true, "MinMaxExpr": true, "RowExpr": true, "A_ArrayExpr": true, "A_Indices": true,
	"A_Indirection": true, "NamedArgExpr": true, "TypeCast": true, "CollateClause": true,
	"SQLValueFunction": true, "GroupingFunc": true, "GroupingSet": true, "WindowDef": true,
	"XmlExpr": true, "XmlSerialize": true, "JsonIsPredicate": true, "JsonFormat": true,
	"JoinExpr": true, "RangeTableFunc": true, "RangeTableFuncCol": true, "ColumnDef": true,
	"CTESearchClause": true, "CTECycleClause": true,
	"OnConflictClause": true, "InferClause": true, "IndexElem": true, "MergeWhenClause": true,
}

// query walks a SELECT, VALUES or set operation.
func (s *statement) query(stmt *pg_query.SelectStmt, at place) {
	if stmt.IntoClause != nil {
		s.refuse("SELECT INTO inside another statement")
	}
	locked := at.locked
	at = s.with(stmt.WithClause, at)
	lock := s.lockOf(stmt.LockingClause)
	for _, item := range stmt.FromClause {
		s.visit(item.ProtoReflect(), place{ctes: at.ctes, locked: locked || lock.all, lock: lock})
	}
	for name := range lock.names {
		if !lock.found[name] {
			s.refuse("FOR UPDATE OF %s, which is not in FROM", name)
		}
	}
	for _, arm := range []*pg_query.SelectStmt{stmt.Larg, stmt.Rarg} {
		if arm != nil {
			s.query(arm, place{ctes: at.ctes, locked: locked})
		}
	}
	s.nodes(stmt.DistinctClause, at)
	s.children(stmt.ProtoReflect(), at,
		"with_clause", "from_clause", "locking_clause", "larg", "rarg", "into_clause", "distinct_clause")
}

// nodes visits those that are there: DISTINCT without ON is a list of one empty
// node, and so is what stands for the columns of a function without any.
func (s *statement) nodes(list []*pg_query.Node, at place) {
	for _, node := range list {
		if node.GetNode() != nil {
			s.visit(node.ProtoReflect(), at)
		}
	}
}

// tableFunctions walks functions in FROM: each is a list of the call and its columns.
func (s *statement) tableFunctions(node *pg_query.RangeFunction, at place) {
	for _, function := range node.Functions {
		s.nodes(function.GetList().GetItems(), at.expression())
	}
	s.children(node.ProtoReflect(), at.expression(), "functions")
}

// with visits the CTEs and returns the place where their names hold. Without
// RECURSIVE a CTE sees those before it, and its own name still means a table.
func (s *statement) with(clause *pg_query.WithClause, at place) place {
	if clause == nil {
		return at.expression()
	}
	inside := place{ctes: &scope{outer: at.ctes, names: map[string]bool{}}}
	if clause.Recursive {
		for _, node := range clause.Ctes {
			inside.ctes.names[node.GetCommonTableExpr().GetCtename()] = true
		}
	}
	for _, node := range clause.Ctes {
		cte := node.GetCommonTableExpr()
		if cte == nil {
			s.refuse("a WITH that names no query")
			continue
		}
		s.children(cte.ProtoReflect(), inside)
		inside.ctes.names[cte.Ctename] = true
	}
	return inside
}

// read adds what is needed to read a relation, unless the name is a CTE's.
func (s *statement) read(relation *pg_query.RangeVar, at place) {
	locked := at.locked || at.lock.covers(itemName(relation))
	if relation.Schemaname == "" && at.ctes.has(relation.Relname) {
		return
	}
	s.target(relation, v1alpha1.PrivilegeSelect)
	if locked {
		s.target(relation, v1alpha1.PrivilegeUpdate)
	}
}
