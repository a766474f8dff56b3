package sql

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
)

// insert needs SELECT too where it reads columns of its target: RETURNING, and
// the arbiter and expressions of ON CONFLICT.
func (s *statement) insert(stmt *pg_query.InsertStmt, p *place) shape {
	s.with(stmt.WithClause, p)
	r := s.target(stmt.Relation, v1alpha1.PrivilegeInsert)
	conflict := stmt.OnConflictClause
	if conflict.GetAction() == pg_query.OnConflictAction_ONCONFLICT_UPDATE {
		s.touch(r, v1alpha1.PrivilegeUpdate)
	}
	if conflict.GetInfer() != nil || readsColumns(stmt.ReturningList...) {
		s.touch(r, v1alpha1.PrivilegeSelect)
	}
	target := targetItem(stmt.Relation, r)
	var values shape
	if stmt.SelectStmt != nil {
		query := stmt.SelectStmt.GetSelectStmt()
		if query == nil {
			s.refuse("%s in INSERT", words(nodeName(stmt.SelectStmt)))
			return shape{}
		}
		values = s.query(query, &place{outer: p.outer, ctes: p.ctes}, false)
		s.use(values.all(), policy.UseCopy)
	}
	proposed := s.inserted(stmt.Cols, target, values)
	p.items = []*item{target}
	if conflict != nil {
		s.conflict(conflict, p, target, proposed)
	}
	return s.returning(stmt.ReturningList, p, target)
}

// inserted notes the columns written, and returns what the new row is made of.
func (s *statement) inserted(cols []*pg_query.Node, target *item, values shape) shape {
	var names []string
	for _, node := range cols {
		names = append(names, node.GetResTarget().GetName())
		s.subscripts(node.GetResTarget(), &place{})
	}
	if names == nil {
		known := target.columns()
		for i, f := range known.fields {
			if i == len(values.fields) && len(values.open) == 0 && len(values.fields) > 0 {
				break
			}
			names = append(names, f.name)
		}
		if len(known.open) > 0 || target.relation.known == nil {
			s.write(target, "*")
			return shape{open: []source{{from: values.all()}}}
		}
	}
	var out shape
	for i, name := range names {
		s.write(target, name)
		f := field{name: name}
		switch {
		case len(values.open) > 0:
			f.from = values.all()
		case i < len(values.fields):
			f.from = values.fields[i].from
		}
		out.fields = append(out.fields, f)
	}
	// Other columns of the row get defaults.
	out.open = []source{{}}
	return out
}

func (s *statement) write(target *item, name string) {
	s.use([]column{target.relation.column(name)}, policy.UseWrite)
}

// conflict follows ON CONFLICT. EXCLUDED is the row that was to be inserted.
func (s *statement) conflict(clause *pg_query.OnConflictClause, p *place, target *item, proposed shape) {
	for _, node := range clause.GetInfer().GetIndexElems() {
		element := node.GetIndexElem()
		if element == nil {
			s.refuse("%s in ON CONFLICT", words(nodeName(node)))
			continue
		}
		if element.Name != "" {
			s.use([]column{target.relation.column(element.Name)}, policy.UseFilter)
		}
		s.filter(element.Expr, p)
		if len(element.Opclassopts) > 0 {
			s.refuse("options of an operator class")
		}
	}
	s.filter(clause.GetInfer().GetWhereClause(), p)
	excluded := &item{name: "excluded", whole: true, shape: proposed}
	both := &place{outer: p.outer, ctes: p.ctes, items: []*item{target, excluded}}
	s.assign(clause.TargetList, both, target)
	s.filter(clause.WhereClause, both)
}

// assign follows SET: what flows into a column is copied.
func (s *statement) assign(list []*pg_query.Node, p *place, target *item) {
	for _, node := range list {
		set := node.GetResTarget()
		if set == nil {
			s.refuse("%s in SET", words(nodeName(node)))
			continue
		}
		s.write(target, set.Name)
		s.subscripts(set, p)
		var read columns
		value := set.Val
		if multiple := value.GetMultiAssignRef(); multiple != nil {
			value = multiple.Source
		}
		s.expr(value, p, &read)
		s.use(read.list, policy.UseCopy)
	}
}

// subscripts follows those of a target: a[i] = … .
func (s *statement) subscripts(target *pg_query.ResTarget, p *place) {
	var read columns
	for _, part := range target.GetIndirection() {
		if indices := part.GetAIndices(); indices != nil {
			s.expr(indices.Lidx, p, &read)
			s.expr(indices.Uidx, p, &read)
		}
	}
	s.use(read.list, policy.UseCopy)
}

// returning is the result of a change. The row before and after it have names too.
func (s *statement) returning(list []*pg_query.Node, p *place, target *item) shape {
	if len(list) == 0 {
		return shape{}
	}
	at := &place{outer: p.outer, ctes: p.ctes, items: append([]*item(nil), p.items...)}
	for _, name := range []string{"old", "new"} {
		if at.named(name) == nil {
			image := *target
			image.name, image.schema, image.bare = name, "", false
			at.items = append(at.items, &image)
		}
	}
	return s.targets(list, at)
}

func (s *statement) update(stmt *pg_query.UpdateStmt, p *place) shape {
	s.with(stmt.WithClause, p)
	r := s.target(stmt.Relation, v1alpha1.PrivilegeUpdate)
	if readsColumns(stmt.WhereClause) || readsColumns(stmt.ReturningList...) || readsColumns(stmt.TargetList...) {
		s.touch(r, v1alpha1.PrivilegeSelect)
	}
	s.change(stmt.WhereClause)
	if r.schema == system && r.name == "pg_settings" {
		s.refuse("UPDATE of pg_settings: use SET")
	}
	target := targetItem(stmt.Relation, r)
	s.from(stmt.FromClause, p, locking{})
	p.items = append([]*item{target}, p.items...)
	s.assign(stmt.TargetList, p, target)
	s.filter(stmt.WhereClause, p)
	return s.returning(stmt.ReturningList, p, target)
}

func (s *statement) delete(stmt *pg_query.DeleteStmt, p *place) shape {
	s.with(stmt.WithClause, p)
	r := s.target(stmt.Relation, v1alpha1.PrivilegeDelete)
	if readsColumns(stmt.WhereClause) || readsColumns(stmt.ReturningList...) {
		s.touch(r, v1alpha1.PrivilegeSelect)
	}
	s.change(stmt.WhereClause)
	target := targetItem(stmt.Relation, r)
	s.from(stmt.UsingClause, p, locking{})
	p.items = append([]*item{target}, p.items...)
	s.filter(stmt.WhereClause, p)
	return s.returning(stmt.ReturningList, p, target)
}

// merge reads its target to join it with the source: that is its WHERE.
func (s *statement) merge(stmt *pg_query.MergeStmt, p *place) shape {
	s.with(stmt.WithClause, p)
	r := s.target(stmt.Relation, v1alpha1.PrivilegeSelect)
	s.change(stmt.JoinCondition)
	target := targetItem(stmt.Relation, r)
	if stmt.SourceRelation == nil {
		s.refuse("MERGE without a source")
		return shape{}
	}
	s.from([]*pg_query.Node{stmt.SourceRelation}, p, locking{})
	p.items = append([]*item{target}, p.items...)
	s.filter(stmt.JoinCondition, p)
	for _, node := range stmt.MergeWhenClauses {
		s.when(node.GetMergeWhenClause(), p, target)
	}
	// Here "*" gives the source first.
	p.items = append(p.items[1:len(p.items):len(p.items)], target)
	return s.returning(stmt.ReturningList, p, target)
}

// when is one WHEN of a MERGE.
func (s *statement) when(clause *pg_query.MergeWhenClause, p *place, target *item) {
	s.filter(clause.GetCondition(), p)
	switch clause.GetCommandType() {
	case pg_query.CmdType_CMD_INSERT:
		s.touch(target.relation, v1alpha1.PrivilegeInsert)
		var values shape
		for _, node := range clause.Values {
			var read columns
			s.expr(node, p, &read)
			s.use(read.list, policy.UseCopy)
			values.fields = append(values.fields, field{from: read.list})
		}
		s.inserted(clause.TargetList, target, values)
	case pg_query.CmdType_CMD_UPDATE:
		s.touch(target.relation, v1alpha1.PrivilegeUpdate)
		s.assign(clause.TargetList, p, target)
	case pg_query.CmdType_CMD_DELETE:
		s.touch(target.relation, v1alpha1.PrivilegeDelete)
	case pg_query.CmdType_CMD_NOTHING:
	default:
		s.refuse("an action of MERGE")
	}
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
