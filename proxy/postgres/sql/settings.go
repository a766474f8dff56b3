package sql

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"
)

// set understands SET, RESET and SET TRANSACTION: for an ordinary grant settings
// that change neither whose rights apply, nor what a text means, nor what the target
// enforces; for an unrestricted one all but what the proxy's own reading rests on.
func (s *statement) set(stmt *pg_query.VariableSetStmt) string {
	kind := "set"
	name := strings.ToLower(stmt.Name)
	switch stmt.Kind {
	case pg_query.VariableSetKind_VAR_SET_MULTI:
		s.setTransaction(stmt)
		return kind
	case pg_query.VariableSetKind_VAR_RESET_ALL:
		s.beyond("RESET ALL: reset settings by name")
		s.setting("*")
		return "reset"
	case pg_query.VariableSetKind_VAR_RESET:
		kind = "reset"
	case pg_query.VariableSetKind_VAR_SET_DEFAULT:
	case pg_query.VariableSetKind_VAR_SET_VALUE:
	default:
		// FROM CURRENT stands in the definition of a function only.
		s.refuse("SET %s FROM CURRENT", name)
	}
	s.setting(name)
	value := stmt.Kind == pg_query.VariableSetKind_VAR_SET_VALUE
	switch {
	case value && fixed(name, stmt.Args):
	case readingRestsOn[name]:
		s.refuse("%s of %s: what a text means would change", strings.ToUpper(kind), name)
	case settings[name] && (!value || s.literals(stmt.Args)):
	default:
		s.beyond("%s of %s: a session may change only harmless settings such as application_name, timezone and statement_timeout", strings.ToUpper(kind), name)
	}
	return kind
}

// setting notes a setting. Whose rights apply decides what "$user" is in search_path.
func (s *statement) setting(name string) {
	s.settings = append(s.settings, name)
	switch name {
	case "*", "search_path", "role", "session_authorization":
		s.movesPath = true
	}
}

// readingRestsOn are the settings without which texts are not what they look like.
var readingRestsOn = set("standard_conforming_strings", "client_encoding")

// dumped are values that pg_dump gives a setting that it takes from pg_settings:
// neither readable as off nor as an encoding, so no reading rests on it.
var dumped = set("view, foreign-table", "view", "foreign-table")

// setTransaction takes what BEGIN takes too, and no snapshot of another session.
func (s *statement) setTransaction(stmt *pg_query.VariableSetStmt) {
	if stmt.Name != "TRANSACTION" && stmt.Name != "SESSION CHARACTERISTICS" {
		s.beyond("SET %s", stmt.Name)
		s.settings = append(s.settings, "transaction_snapshot")
		return
	}
	for _, node := range stmt.Args {
		name := node.GetDefElem().GetDefname()
		s.settings = append(s.settings, name)
		switch name {
		case "transaction_isolation", "transaction_read_only", "transaction_deferrable":
		default:
			s.beyond("SET TRANSACTION with %s", name)
		}
	}
}

// setConfig is set_config(name, value, local), a SET in a query.
func (s *statement) setConfig(call *pg_query.FuncCall) {
	s.beyond("the function set_config, behind which a policy cannot see")
	if len(call.GetArgs()) < 2 || call.Args[0].GetAConst().GetSval() == nil {
		if len(call.GetArgs()) < 2 || !dumped[call.Args[1].GetAConst().GetSval().GetSval()] {
			s.refuse("set_config of a setting that is not named by a literal")
		}
		s.setting("*")
		return
	}
	name := strings.ToLower(call.Args[0].GetAConst().GetSval().GetSval())
	s.setting(name)
	if readingRestsOn[name] && !fixed(name, call.Args[1:2]) {
		s.refuse("set_config of %s: what a text means would change", name)
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
		return isUTF8(value)
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
