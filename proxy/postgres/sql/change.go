package sql

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// insert needs SELECT too where it reads columns of its target: RETURNING, and
// the arbiter and expressions of ON CONFLICT.
func (s *statement) insert(stmt *pg_query.InsertStmt, at place) {
	at = s.with(stmt.WithClause, at)
	s.target(stmt.Relation, v1alpha1.PrivilegeInsert)
	conflict := stmt.OnConflictClause
	if conflict.GetAction() == pg_query.OnConflictAction_ONCONFLICT_UPDATE {
		s.target(stmt.Relation, v1alpha1.PrivilegeUpdate)
	}
	if conflict.GetInfer() != nil || readsColumns(stmt.ReturningList...) {
		s.target(stmt.Relation, v1alpha1.PrivilegeSelect)
	}
	s.children(stmt.ProtoReflect(), at, "with_clause", "relation")
}

func (s *statement) update(stmt *pg_query.UpdateStmt, at place) {
	at = s.with(stmt.WithClause, at)
	s.target(stmt.Relation, v1alpha1.PrivilegeUpdate)
	if readsColumns(stmt.WhereClause) || readsColumns(stmt.ReturningList...) || readsColumns(stmt.TargetList...) {
		s.target(stmt.Relation, v1alpha1.PrivilegeSelect)
	}
	s.change(stmt.WhereClause)
	s.children(stmt.ProtoReflect(), at, "with_clause", "relation")
}

func (s *statement) delete(stmt *pg_query.DeleteStmt, at place) {
	at = s.with(stmt.WithClause, at)
	s.target(stmt.Relation, v1alpha1.PrivilegeDelete)
	if readsColumns(stmt.WhereClause) || readsColumns(stmt.ReturningList...) {
		s.target(stmt.Relation, v1alpha1.PrivilegeSelect)
	}
	s.change(stmt.WhereClause)
	s.children(stmt.ProtoReflect(), at, "with_clause", "relation")
}

// merge reads its target to join it with the source: that is its WHERE.
func (s *statement) merge(stmt *pg_query.MergeStmt, at place) {
	at = s.with(stmt.WithClause, at)
	s.target(stmt.Relation, v1alpha1.PrivilegeSelect)
	for _, node := range stmt.MergeWhenClauses {
		when := node.GetMergeWhenClause()
		switch when.GetCommandType() {
		case pg_query.CmdType_CMD_INSERT:
			s.target(stmt.Relation, v1alpha1.PrivilegeInsert)
		case pg_query.CmdType_CMD_UPDATE:
			s.target(stmt.Relation, v1alpha1.PrivilegeUpdate)
		case pg_query.CmdType_CMD_DELETE:
			s.target(stmt.Relation, v1alpha1.PrivilegeDelete)
		case pg_query.CmdType_CMD_NOTHING:
		default:
			s.refuse("an action of MERGE")
		}
	}
	s.change(stmt.JoinCondition)
	s.children(stmt.ProtoReflect(), at, "with_clause", "relation")
}

// change counts an update or delete, for HasWhere.
func (s *statement) change(where *pg_query.Node) {
	s.changes++
	if where == nil {
		s.unfiltered++
	}
}

// readsColumns says whether an expression reads a column, of whatever relation.
func readsColumns(nodes ...*pg_query.Node) bool {
	for _, node := range nodes {
		if node != nil && holdsColumn(node.ProtoReflect()) {
			return true
		}
	}
	return false
}

func holdsColumn(m protoreflect.Message) bool {
	if _, ok := m.Interface().(*pg_query.ColumnRef); ok {
		return true
	}
	found := false
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Message() == nil:
		case field.IsList():
			list := value.List()
			for i := 0; i < list.Len() && !found; i++ {
				found = holdsColumn(list.Get(i).Message())
			}
		default:
			found = holdsColumn(value.Message())
		}
		return !found
	})
	return found
}
