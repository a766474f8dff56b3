package sql

import (
	"strings"
	"unicode"

	pg_query "github.com/pganalyze/pg_query_go/v6"
)

func transactionKind(kind pg_query.TransactionStmtKind) string {
	switch kind {
	case pg_query.TransactionStmtKind_TRANS_STMT_BEGIN, pg_query.TransactionStmtKind_TRANS_STMT_START:
		return "begin"
	case pg_query.TransactionStmtKind_TRANS_STMT_PREPARE:
		return "prepare transaction"
	default:
		return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(kind.String(), "TRANS_STMT_")), "_", " ")
	}
}

// otherKind names the statements that no grant covers: "drop table", "do",
// "create function". They are not walked: their kind refuses them.
func otherKind(node *pg_query.Node) string {
	switch stmt := node.GetNode().(type) {
	case *pg_query.Node_DropStmt:
		return "drop " + objectKind(stmt.DropStmt.RemoveType)
	case *pg_query.Node_AlterTableStmt:
		return "alter " + objectKind(stmt.AlterTableStmt.Objtype)
	case *pg_query.Node_RenameStmt:
		return "alter " + objectKind(stmt.RenameStmt.RenameType)
	case *pg_query.Node_AlterOwnerStmt:
		return "alter " + objectKind(stmt.AlterOwnerStmt.ObjectType)
	case *pg_query.Node_AlterObjectSchemaStmt:
		return "alter " + objectKind(stmt.AlterObjectSchemaStmt.ObjectType)
	case *pg_query.Node_DefineStmt:
		return "create " + objectKind(stmt.DefineStmt.Kind)
	case *pg_query.Node_CreateTableAsStmt:
		return "create " + objectKind(stmt.CreateTableAsStmt.Objtype) + " as"
	case *pg_query.Node_CreateStmt:
		return "create table"
	case *pg_query.Node_IndexStmt:
		return "create index"
	case *pg_query.Node_ViewStmt:
		return "create view"
	case *pg_query.Node_RuleStmt:
		return "create rule"
	case *pg_query.Node_CreateTrigStmt:
		return "create trigger"
	case *pg_query.Node_CreateSeqStmt:
		return "create sequence"
	case *pg_query.Node_CreatedbStmt:
		return "create database"
	case *pg_query.Node_DropdbStmt:
		return "drop database"
	case *pg_query.Node_GrantStmt:
		return grantKind(stmt.GrantStmt.IsGrant)
	case *pg_query.Node_GrantRoleStmt:
		return grantKind(stmt.GrantRoleStmt.IsGrant)
	case *pg_query.Node_VacuumStmt:
		if !stmt.VacuumStmt.IsVacuumcmd {
			return "analyze"
		}
		return "vacuum"
	case *pg_query.Node_ConstraintsSetStmt:
		return "set constraints"
	case *pg_query.Node_CheckPointStmt:
		return "checkpoint"
	case *pg_query.Node_SecLabelStmt:
		return "security label"
	case *pg_query.Node_RefreshMatViewStmt:
		return "refresh materialized view"
	default:
		return words(nodeName(node))
	}
}

func grantKind(grants bool) string {
	if grants {
		return "grant"
	}
	return "revoke"
}

func objectKind(t pg_query.ObjectType) string {
	if t == pg_query.ObjectType_OBJECT_MATVIEW {
		return "materialized view"
	}
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(t.String(), "OBJECT_")), "_", " ")
}

// nodeName is the node's type without its suffix: "CreateFunction".
func nodeName(node *pg_query.Node) string {
	message := node.ProtoReflect()
	field := message.WhichOneof(message.Descriptor().Oneofs().ByName("node"))
	if field == nil {
		return "Nothing"
	}
	return strings.TrimSuffix(string(field.Message().Name()), "Stmt")
}

// words turns "CreateFunction" into "create function".
func words(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
