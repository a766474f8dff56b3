package sql

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
)

// What GRANT has a word for and grants of ours do not, and what only an owner may.
const (
	privilegeTruncate v1alpha1.RelationPrivilege = "TRUNCATE"
	privilegeMaintain v1alpha1.RelationPrivilege = "MAINTAIN"
	privilegeOwner    v1alpha1.RelationPrivilege = "OWNER"
	privilegeCreate   v1alpha1.RelationPrivilege = "CREATE"
)

// define follows all other statements: changes of the schema, of roles, of the
// server. It returns their kind.
func (s *statement) define(node *pg_query.Node) string {
	kind := otherKind(node)
	if why, ok := outOfSight[kind]; ok {
		s.obscure(why)
	}
	s.movesCatalog = s.movesCatalog || movesCatalog(kind)
	switch stmt := node.GetNode().(type) {
	case *pg_query.Node_CreateTableAsStmt:
		s.created(stmt.CreateTableAsStmt.GetInto().GetRel())
		s.copies(stmt.CreateTableAsStmt.Query)
	case *pg_query.Node_ViewStmt:
		s.created(stmt.ViewStmt.View)
		s.copies(stmt.ViewStmt.Query)
	case *pg_query.Node_CreateStmt:
		s.created(stmt.CreateStmt.Relation)
		s.within(stmt.CreateStmt.ProtoReflect(), &place{}, privilegeOwner, "relation", "of_typename")
	case *pg_query.Node_CreateSeqStmt:
		s.created(stmt.CreateSeqStmt.Sequence)
	case *pg_query.Node_CreateForeignTableStmt:
		s.created(stmt.CreateForeignTableStmt.GetBaseStmt().GetRelation())
	case *pg_query.Node_LockStmt:
		s.lockTables(stmt.LockStmt)
	case *pg_query.Node_TruncateStmt:
		s.within(stmt.TruncateStmt.ProtoReflect(), &place{}, privilegeTruncate)
	case *pg_query.Node_VacuumStmt:
		s.within(stmt.VacuumStmt.ProtoReflect(), &place{}, privilegeMaintain)
	case *pg_query.Node_ClusterStmt, *pg_query.Node_ReindexStmt, *pg_query.Node_RefreshMatViewStmt:
		s.within(node.ProtoReflect(), &place{}, privilegeMaintain)
	case *pg_query.Node_CallStmt:
		var read columns
		p := &place{}
		s.expressions(stmt.CallStmt.GetFunccall().GetArgs(), p, &read)
		s.use(read.list, policy.UseCall)
		s.function(parts(stmt.CallStmt.GetFunccall().GetFuncname()), stmt.CallStmt.GetFunccall(), -1)
		s.movesPath, s.movesCatalog = true, true
	case *pg_query.Node_DropStmt:
		s.dropped(stmt.DropStmt)
	case *pg_query.Node_CommentStmt:
		s.object(stmt.CommentStmt.Objtype, stmt.CommentStmt.Object)
	case *pg_query.Node_SecLabelStmt:
		s.object(stmt.SecLabelStmt.Objtype, stmt.SecLabelStmt.Object)
	case *pg_query.Node_GrantStmt:
		s.within(stmt.GrantStmt.ProtoReflect(), &place{}, privilegeOwner)
	case *pg_query.Node_AlterSystemStmt:
		s.configured(stmt.AlterSystemStmt.Setstmt)
	case *pg_query.Node_AlterRoleSetStmt:
		s.configured(stmt.AlterRoleSetStmt.Setstmt)
	case *pg_query.Node_AlterDatabaseSetStmt:
		s.configured(stmt.AlterDatabaseSetStmt.Setstmt)
	case *pg_query.Node_CreateFunctionStmt, *pg_query.Node_DoStmt:
		// What is in them runs when they are called; DO is out of sight.
	default:
		s.altered(node)
	}
	return kind
}

// outOfSight are the kinds that run code, or make a way to the data, that nothing
// here can follow.
var outOfSight = map[string]string{
	"do": "DO runs a block of code", "load": "LOAD runs a library", "create extension": "an extension runs scripts of the server",
	"alter extension":       "an extension runs scripts of the server",
	"import foreign schema": "foreign tables can be any table under another name",
	"create foreign table":  "foreign tables can be any table under another name",
	"alter foreign table":   "foreign tables can be any table under another name",
	"create subscription":   "a subscription writes rows from elsewhere", "alter subscription": "a subscription writes rows from elsewhere",
	"create publication": "a publication sends rows elsewhere", "alter publication": "a publication sends rows elsewhere",
	"alter system": "settings of the server steer what it loads and logs",
}

func movesCatalog(kind string) bool {
	for _, verb := range []string{"create ", "alter ", "drop ", "import ", "reassign ", "rename "} {
		if strings.HasPrefix(kind, verb) {
			return true
		}
	}
	return kind == "call" || kind == "do"
}

// created notes a relation that comes to be: in the schema it names, else in the
// first of the path.
func (s *statement) created(node *pg_query.RangeVar) {
	schema := node.GetSchemaname()
	s.movesCatalog = true
	switch {
	case schema != "":
	case node.GetRelpersistence() == "t":
		schema = temporary
	default:
		schema = s.first()
	}
	s.access[policy.Access{Schema: schema, Name: node.GetRelname(), Privilege: privilegeCreate}] = true
}

// copies follows a query whose rows end in a relation, or whose columns get other names.
func (s *statement) copies(query *pg_query.Node) {
	switch q := query.GetNode().(type) {
	case *pg_query.Node_SelectStmt:
		s.filtered = q.SelectStmt.WhereClause != nil
		s.use(s.query(q.SelectStmt, &place{}, false).all(), policy.UseCopy)
	case *pg_query.Node_ExecuteStmt:
		s.execute(q.ExecuteStmt)
		s.obscure("what was prepared under a name is copied")
	default:
		s.refuse("%s as the query of a relation", words(nodeName(query)))
	}
}

// altered follows a change of what is there: a relation of which columns, names or
// what runs on them change counts as copied whole, because masks go by names.
func (s *statement) altered(node *pg_query.Node) {
	p := &place{}
	for _, field := range []protoreflect.Name{"relation", "table", "constrrel"} {
		s.alteredRelation(node, field, p)
	}
	s.within(node.ProtoReflect(), p, privilegeOwner)
}

func (s *statement) alteredRelation(node *pg_query.Node, name protoreflect.Name, p *place) {
	m := node.ProtoReflect()
	oneof := m.WhichOneof(m.Descriptor().Oneofs().ByName("node"))
	if oneof == nil {
		s.refuse("a statement without content")
		return
	}
	inner := m.Get(oneof).Message()
	field := inner.Descriptor().Fields().ByName(name)
	if field == nil || field.Message() == nil || field.IsList() || !inner.Has(field) {
		return
	}
	relation, ok := inner.Get(field).Message().Interface().(*pg_query.RangeVar)
	if !ok {
		return
	}
	r := s.target(relation, privilegeOwner)
	s.use([]column{r.column("*")}, policy.UseCopy)
	if r.known != nil {
		for _, parent := range r.known.Parents {
			if above := s.in.Catalog.Relation(parent); above != nil {
				s.use([]column{{above.Schema, above.Name.Name, "*"}}, policy.UseCopy)
			}
		}
	}
	i := targetItem(relation, r)
	for _, alias := range []string{i.name, "old", "new"} {
		one := *i
		one.name, one.bare = alias, alias == i.name
		p.items = append(p.items, &one)
	}
}

// within finds relations, queries and expressions in a definition.
func (s *statement) within(m protoreflect.Message, p *place, privilege v1alpha1.RelationPrivilege, except ...protoreflect.Name) {
	switch node := m.Interface().(type) {
	case *pg_query.RangeVar:
		r := s.target(node, privilege)
		if privilege == privilegeOwner {
			s.use([]column{r.column("*")}, policy.UseCopy)
		}
		return
	case *pg_query.TypeName, *pg_query.RoleSpec, *pg_query.ObjectWithArgs:
		return
	case *pg_query.SelectStmt:
		s.use(s.query(node, &place{outer: p}, false).all(), policy.UseCopy)
		return
	case *pg_query.InsertStmt:
		s.use(s.insert(node, &place{outer: p}).all(), policy.UseCopy)
		return
	case *pg_query.UpdateStmt:
		s.use(s.update(node, &place{outer: p}).all(), policy.UseCopy)
		return
	case *pg_query.DeleteStmt:
		s.use(s.delete(node, &place{outer: p}).all(), policy.UseCopy)
		return
	case *pg_query.MergeStmt:
		s.use(s.merge(node, &place{outer: p}).all(), policy.UseCopy)
		return
	case *pg_query.FuncCall, *pg_query.A_Expr, *pg_query.ColumnRef, *pg_query.SubLink, *pg_query.BoolExpr, *pg_query.TypeCast:
		var read columns
		s.visitExpression(m, p, &read)
		s.use(read.list, policy.UseCopy)
		return
	}
	m.Range(func(f protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if f.Message() == nil {
			return true
		}
		for _, name := range except {
			if f.Name() == name {
				return true
			}
		}
		if f.IsList() {
			list := value.List()
			for i := range list.Len() {
				s.within(list.Get(i).Message(), p, privilege)
			}
			return true
		}
		s.within(value.Message(), p, privilege)
		return true
	})
}

func (s *statement) visitExpression(m protoreflect.Message, p *place, into *columns) {
	var node pg_query.Node
	switch n := m.Interface().(type) {
	case *pg_query.FuncCall:
		node.Node = &pg_query.Node_FuncCall{FuncCall: n}
	case *pg_query.A_Expr:
		node.Node = &pg_query.Node_AExpr{AExpr: n}
	case *pg_query.ColumnRef:
		node.Node = &pg_query.Node_ColumnRef{ColumnRef: n}
	case *pg_query.SubLink:
		node.Node = &pg_query.Node_SubLink{SubLink: n}
	case *pg_query.BoolExpr:
		node.Node = &pg_query.Node_BoolExpr{BoolExpr: n}
	case *pg_query.TypeCast:
		node.Node = &pg_query.Node_TypeCast{TypeCast: n}
	}
	s.expr(&node, p, into)
}

// lockTables asks for what PostgreSQL does: SELECT for ACCESS SHARE, and for
// stronger modes any privilege that changes rows.
func (s *statement) lockTables(stmt *pg_query.LockStmt) {
	privilege := v1alpha1.PrivilegeUpdate
	if stmt.Mode == accessShareLock {
		privilege = v1alpha1.PrivilegeSelect
	}
	s.within(stmt.ProtoReflect(), &place{}, privilege)
}

const accessShareLock = 1

// dropped notes relations that go.
func (s *statement) dropped(stmt *pg_query.DropStmt) {
	for _, object := range stmt.Objects {
		s.object(stmt.RemoveType, object)
	}
}

// object notes the relation that an object is, or belongs to.
func (s *statement) object(kind pg_query.ObjectType, node *pg_query.Node) {
	names := parts(node.GetList().GetItems())
	switch kind {
	case pg_query.ObjectType_OBJECT_TABLE, pg_query.ObjectType_OBJECT_VIEW, pg_query.ObjectType_OBJECT_MATVIEW,
		pg_query.ObjectType_OBJECT_FOREIGN_TABLE, pg_query.ObjectType_OBJECT_SEQUENCE:
	case pg_query.ObjectType_OBJECT_COLUMN, pg_query.ObjectType_OBJECT_TRIGGER, pg_query.ObjectType_OBJECT_RULE,
		pg_query.ObjectType_OBJECT_POLICY, pg_query.ObjectType_OBJECT_TABCONSTRAINT:
		names = names[:max(len(names)-1, 0)]
	default:
		return
	}
	switch n := len(names); n {
	case 0:
	case 1:
		s.touch(s.relationNamed("", names[0]), privilegeOwner)
	default:
		s.touch(s.relationNamed(names[n-2], names[n-1]), privilegeOwner)
	}
}

// configured is a setting for others or for later: not one that the proxy's own
// reading rests on.
func (s *statement) configured(stmt *pg_query.VariableSetStmt) {
	name := strings.ToLower(stmt.GetName())
	if name == "" {
		name = "*"
	}
	s.settings = append(s.settings, name)
	if readingRestsOn[name] && !fixed(name, stmt.GetArgs()) {
		s.refuse("%s: what a text means would change", name)
	}
}
