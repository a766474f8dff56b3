package sql

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"
)

// set understands SET, RESET and SET TRANSACTION for settings that change neither
// whose rights apply, nor what a text means, nor what the target enforces.
func (s *statement) set(stmt *pg_query.VariableSetStmt) string {
	kind := "set"
	name := strings.ToLower(stmt.Name)
	switch stmt.Kind {
	case pg_query.VariableSetKind_VAR_SET_MULTI:
		s.setTransaction(stmt)
		return kind
	case pg_query.VariableSetKind_VAR_RESET_ALL:
		s.refuse("RESET ALL: reset settings by name")
		return "reset"
	case pg_query.VariableSetKind_VAR_RESET:
		kind = "reset"
		if settings[name] {
			return kind
		}
	case pg_query.VariableSetKind_VAR_SET_DEFAULT:
		if settings[name] {
			return kind
		}
	case pg_query.VariableSetKind_VAR_SET_VALUE:
		if settings[name] && s.literals(stmt.Args) || fixed(name, stmt.Args) {
			return kind
		}
	default:
		// FROM CURRENT stands in the definition of a function only.
	}
	s.refuse("%s of %s: a session may change only harmless settings such as application_name, timezone and statement_timeout", strings.ToUpper(kind), name)
	return kind
}

// setTransaction takes what BEGIN takes too, and no snapshot of another session.
func (s *statement) setTransaction(stmt *pg_query.VariableSetStmt) {
	if stmt.Name != "TRANSACTION" && stmt.Name != "SESSION CHARACTERISTICS" {
		s.refuse("SET %s", stmt.Name)
	}
	for _, node := range stmt.Args {
		switch name := node.GetDefElem().GetDefname(); name {
		case "transaction_isolation", "transaction_read_only", "transaction_deferrable":
		default:
			s.refuse("SET TRANSACTION with %s", name)
		}
	}
}

// literals says whether the values are constants (SET TIME ZONE takes an interval).
func (s *statement) literals(values []*pg_query.Node) bool {
	for _, value := range values {
		if cast := value.GetTypeCast(); cast != nil {
			value = cast.Arg
		}
		if value.GetAConst() == nil {
			return false
		}
	}
	return true
}

// fixed lets drivers set what holds anyway: another value of these would change
// what the same text means to the target.
func fixed(name string, values []*pg_query.Node) bool {
	if len(values) != 1 {
		return false
	}
	value := strings.ToLower(values[0].GetAConst().GetSval().GetSval())
	switch name {
	case "client_encoding":
		return value == "utf8" || value == "utf-8" || value == "unicode"
	case "standard_conforming_strings":
		return value == "on" || value == "true"
	case "search_path":
		return value == public
	default:
		return false
	}
}

var settings = set(
	"application_name", "bytea_output", "client_min_messages", "datestyle", "extra_float_digits",
	"idle_in_transaction_session_timeout", "idle_session_timeout", "intervalstyle", "lock_timeout",
	"statement_timeout", "timezone", "transaction_timeout",
	"default_transaction_deferrable", "default_transaction_isolation", "default_transaction_read_only",
	"transaction_deferrable", "transaction_isolation", "transaction_read_only",
)

// isFalse reads an option's boolean as PostgreSQL does; what it would not take
// counts as true.
func isFalse(def *pg_query.DefElem) bool {
	switch arg := def.GetArg().GetNode().(type) {
	case *pg_query.Node_Integer:
		return arg.Integer.Ival == 0
	case *pg_query.Node_String_:
		value := strings.ToLower(arg.String_.Sval)
		return value == "false" || value == "off"
	case *pg_query.Node_Boolean:
		return !arg.Boolean.Boolval
	default:
		return false
	}
}
