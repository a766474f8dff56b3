package sql

import (
	"slices"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"
)

// targetName is how PostgreSQL calls a column of a result that is not named
// (FigureColname); wild where that is not known here.
func targetName(node *pg_query.Node) (name string, wild bool) {
	switch n := node.GetNode().(type) {
	case *pg_query.Node_ColumnRef:
		return lastString(n.ColumnRef.Fields), false
	case *pg_query.Node_AIndirection:
		if name := lastString(n.AIndirection.Indirection); name != "" {
			return name, false
		}
		return targetName(n.AIndirection.Arg)
	case *pg_query.Node_FuncCall:
		return lastString(n.FuncCall.Funcname), false
	case *pg_query.Node_TypeCast:
		// A value's own name goes before its type's.
		arg := n.TypeCast.Arg
		for arg.GetTypeCast() != nil {
			arg = arg.GetTypeCast().Arg
		}
		if name, wild := targetName(arg); wild || name != unnamed {
			return name, wild
		}
		return lastString(n.TypeCast.TypeName.GetNames()), false
	case *pg_query.Node_CollateClause:
		return targetName(n.CollateClause.Arg)
	case *pg_query.Node_AExpr:
		if n.AExpr.Kind == pg_query.A_Expr_Kind_AEXPR_NULLIF {
			return "nullif", false
		}
		return unnamed, false
	case *pg_query.Node_AConst, *pg_query.Node_ParamRef, *pg_query.Node_BoolExpr, *pg_query.Node_NullTest, *pg_query.Node_BooleanTest:
		return unnamed, false
	case *pg_query.Node_CoalesceExpr:
		return "coalesce", false
	case *pg_query.Node_MinMaxExpr:
		return strings.ToLower(strings.TrimPrefix(n.MinMaxExpr.Op.String(), "IS_")), false
	case *pg_query.Node_RowExpr:
		return "row", false
	case *pg_query.Node_AArrayExpr:
		return "array", false
	default:
		return "", true
	}
}

const unnamed = "?column?"

// lastString is the last of a list of names; subscripts in between do not count.
func lastString(nodes []*pg_query.Node) string {
	for _, node := range slices.Backward(nodes) {
		if name := node.GetString_().GetSval(); name != "" {
			return name
		}
	}
	return ""
}
