package sql

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sallyport/sallyport/internal/policy"
)

func (s *statement) expressions(nodes []*pg_query.Node, p *place, into *columns) {
	for _, node := range nodes {
		s.expr(node, p, into)
	}
}

// expr follows an expression: what it reads goes into a set, what it calls and
// touches is noted. The cases here are the frequent forms; all others go to beneath.
func (s *statement) expr(node *pg_query.Node, p *place, into *columns) {
	if node == nil {
		return
	}
	switch n := node.GetNode().(type) {
	case nil:
		// So the parser hands over what it has no form for.
		s.refuse("an empty node in the statement")
	case *pg_query.Node_AConst, *pg_query.Node_ParamRef, *pg_query.Node_SetToDefault,
		*pg_query.Node_SqlvalueFunction, *pg_query.Node_CurrentOfExpr, *pg_query.Node_String_:
	case *pg_query.Node_ColumnRef:
		from, _ := s.reference(n.ColumnRef, p)
		into.add(from...)
	case *pg_query.Node_AExpr:
		if !s.operation(n.AExpr) {
			s.expr(n.AExpr.Lexpr, p, into)
			s.expr(n.AExpr.Rexpr, p, into)
			return
		}
		var operands columns
		s.expr(n.AExpr.Lexpr, p, &operands)
		s.expr(n.AExpr.Rexpr, p, &operands)
		s.use(operands.list, policy.UseCall)
		into.add(operands.list...)
	case *pg_query.Node_BoolExpr:
		s.chosen(n.BoolExpr.Args, p, into)
	case *pg_query.Node_CoalesceExpr:
		s.chosen(n.CoalesceExpr.Args, p, into)
	case *pg_query.Node_List:
		s.expressions(n.List.Items, p, into)
	case *pg_query.Node_FuncCall:
		s.call(n.FuncCall, p, into)
	case *pg_query.Node_TypeCast:
		s.typeName(n.TypeCast.TypeName)
		s.expr(n.TypeCast.Arg, p, into)
	case *pg_query.Node_AIndirection:
		s.indirection(n.AIndirection, p, into)
	case *pg_query.Node_SubLink:
		s.subLink(n.SubLink, p, into)
	case *pg_query.Node_CaseExpr:
		if n.CaseExpr.Arg != nil {
			s.symbol("=")
		}
		s.chosen(append([]*pg_query.Node{n.CaseExpr.Arg, n.CaseExpr.Defresult}, n.CaseExpr.Args...), p, into)
	case *pg_query.Node_CaseWhen:
		s.expr(n.CaseWhen.Expr, p, into)
		s.expr(n.CaseWhen.Result, p, into)
	default:
		s.beneath(node.ProtoReflect(), p, into)
	}
}

// chosen follows expressions of which some decide whether others are computed at
// all: if one of them does more than compute, that shows what the others said.
func (s *statement) chosen(nodes []*pg_query.Node, p *place, into *columns) {
	before := s.effects
	var read columns
	s.expressions(nodes, p, &read)
	if s.effects != before {
		s.use(read.list, policy.UseCall)
	}
	if !s.spend(len(read.list)) {
		into.add(read.list...)
	}
}

// visit follows a node of any type: those on the list of plain nodes are passed
// through; all else is not understood.
func (s *statement) visit(m protoreflect.Message, p *place, into *columns) {
	switch node := m.Interface().(type) {
	case *pg_query.Node:
		s.expr(node, p, into)
	case *pg_query.TypeName:
		s.typeName(node)
	case *pg_query.SelectStmt:
		into.add(s.query(node, p.inside(), false).all()...)
	case *pg_query.RangeVar:
		s.refuse("a relation in an expression")
	default:
		name := m.Descriptor().Name()
		if constructor, ok := constructors[name]; ok {
			s.constructor(constructor, words(string(name))+" in the statement")
		} else if !plain[name] {
			s.refuse("%s in the statement", words(string(name)))
			return
		}
		s.beneath(m, p, into)
	}
}

// beneath visits every message within a node, except its names.
func (s *statement) beneath(m protoreflect.Message, p *place, into *columns) {
	m.Range(func(f protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case f.Message() == nil || f.Name() == "collname" || f.Name() == "colnames" || f.Name() == "alias":
		case f.IsList():
			list := value.List()
			for i := range list.Len() {
				s.visit(list.Get(i).Message(), p, into)
			}
		default:
			s.visit(value.Message(), p, into)
		}
		return true
	})
}

// plain nodes name nothing by themselves.
var plain = map[protoreflect.Name]bool{
	"Integer": true, "Float": true, "Boolean": true, "BitString": true, "A_Star": true,
	"ResTarget": true, "NullTest": true, "BooleanTest": true,
	"CoalesceExpr": true, "MinMaxExpr": true, "RowExpr": true, "A_ArrayExpr": true, "A_Indices": true,
	"NamedArgExpr": true, "CollateClause": true, "GroupingFunc": true, "GroupingSet": true,
	"XmlExpr": true, "XmlSerialize": true, "JsonIsPredicate": true, "JsonFormat": true,
}

// constructors are SQL/JSON's constructors and functions, and what is in them: a
// server before PostgreSQL 16 or 17 reads them as calls of functions by those names.
var constructors = map[protoreflect.Name]string{
	"JsonObjectConstructor": "json_object", "JsonArrayConstructor": "json_array", "JsonArrayQueryConstructor": "json_array",
	"JsonObjectAgg": "json_objectagg", "JsonArrayAgg": "json_arrayagg", "JsonParseExpr": "json", "JsonScalarExpr": "json_scalar",
	"JsonSerializeExpr": "json_serialize", "JsonFuncExpr": "json_value", "MergeSupportFunc": "merge_action",
	"JsonTablePathSpec": "json_table", "JsonTableColumn": "json_table",
	"JsonAggConstructor": "json_objectagg", "JsonKeyValue": "json_object", "JsonValueExpr": "json_object", "JsonOutput": "json_object",
	"JsonReturning": "json_object", "JsonBehavior": "json_value", "JsonArgument": "json_value",
}

// subLink is a query in an expression: what comes out of it is part of the value.
func (s *statement) subLink(node *pg_query.SubLink, p *place, into *columns) {
	s.operator(node.OperName)
	if len(node.OperName) == 0 {
		s.symbol("=")
	}
	s.expr(node.Testexpr, p, into)
	query := node.GetSubselect().GetSelectStmt()
	if query == nil {
		s.refuse("something else than a query in an expression")
		return
	}
	result := s.query(query, p.inside(), false)
	if node.SubLinkType == pg_query.SubLinkType_EXISTS_SUBLINK {
		return
	}
	all := result.all()
	if !s.spend(len(all)) {
		into.add(all...)
	}
}

// reference is what a name of a column means; plain says it is just that column.
func (s *statement) reference(node *pg_query.ColumnRef, p *place) (from []column, plain bool) {
	defer func() { s.mention(from) }()
	names := make([]string, 0, 4)
	star := false
	for _, f := range node.Fields {
		star = star || f.GetAStar() != nil
		if f.GetAStar() == nil {
			names = append(names, f.GetString_().GetSval())
		}
	}
	switch {
	case star && len(names) > 0:
		if i := s.itemOf(names, p); i != nil {
			return i.row(), false
		}
	case star || len(names) == 0:
	case len(names) == 1:
		if f, found := p.bareColumn(names[0]); found {
			if i := p.named(names[0]); i != nil && !f.plain {
				// Perhaps the whole row, if no column has the name.
				f.from = append(f.from, i.row()...)
			}
			return f.from, f.plain
		}
		if i := p.named(names[0]); i != nil {
			return i.row(), false
		}
	default:
		last := len(names) - 1
		if i := s.itemOf(names[:last], p); i != nil {
			return s.member(i, names[last])
		}
	}
	if len(names) > 1 {
		s.attribute(names[len(names)-1], p.everything())
	}
	if len(names) > 0 && s.in.Variables[names[0]] {
		return nil, false
	}
	return p.everything(), false
}

// member is a column of an item, or a function of its row by that name.
func (s *statement) member(i *item, name string) (from []column, plain bool) {
	f, found, exact := i.find(name)
	if found && exact {
		return f.from, f.plain
	}
	s.attribute(name, i.row())
	if found {
		return f.from, f.plain
	}
	return i.row(), false
}

// rowItem is the item of which a node is the whole row, if it is one.
func (s *statement) rowItem(node *pg_query.Node, p *place) *item {
	fields := node.GetColumnRef().GetFields()
	if n := len(fields); n > 1 && fields[n-1].GetAStar() != nil {
		return s.itemOf(parts(fields[:n-1]), p)
	}
	if len(fields) != 1 || fields[0].GetString_() == nil {
		return nil
	}
	name := fields[0].GetString_().GetSval()
	if _, found := p.bareColumn(name); found {
		return nil
	}
	return p.named(name)
}

// indirection is (row).column, (value).function, array[subscript] and chains of them.
func (s *statement) indirection(node *pg_query.A_Indirection, p *place, into *columns) (plain bool) {
	rest := node.Indirection
	if i := s.rowItem(node.Arg, p); i != nil && len(rest) > 0 && rest[0].GetString_() != nil {
		from, plain := s.member(i, rest[0].GetString_().GetSval())
		s.mention(from)
		into.add(from...)
		if len(rest) == 1 {
			return plain
		}
		rest = rest[1:]
	} else {
		s.expr(node.Arg, p, into)
	}
	for _, one := range rest {
		switch n := one.GetNode().(type) {
		case *pg_query.Node_String_:
			s.attribute(n.String_.Sval, into.list)
		case *pg_query.Node_AIndices:
			s.expr(n.AIndices.Lidx, p, into)
			s.expr(n.AIndices.Uidx, p, into)
		case *pg_query.Node_AStar:
		default:
			s.refuse("%s behind a value", words(nodeName(one)))
		}
	}
	return false
}

// attribute is value.name, which is a call of the function of that name where there
// is no such field: ('/etc/passwd'::text).pg_read_file reads the file.
func (s *statement) attribute(name string, of []column) {
	harmful := len(s.overloads("", name, 1)) > 0
	if systemFunctions[name] {
		harmful = s.system(name, nil) || harmful
	}
	if harmful {
		s.use(of, policy.UseCall)
	}
}
