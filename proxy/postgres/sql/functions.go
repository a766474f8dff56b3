package sql

import (
	_ "embed"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"
)

// call notes a function that the grant must name, or a sequence; PostgreSQL's
// harmless functions pass.
func (s *statement) call(node *pg_query.FuncCall, at place) {
	s.children(node.ProtoReflect(), at.expression(), "funcname")
	names := parts(node.Funcname)
	switch {
	case len(names) == 1 && systemFunctions[names[0]]:
		s.system(names[0], node, harmlessFunctions)
	case len(names) == 1:
		s.functions[public+"."+names[0]] = true
	case len(names) == 2 && names[0] == system && newerFunctions[names[1]]:
	case len(names) == 2 && names[0] == system:
		s.system(names[1], node, harmlessFunctions)
	case len(names) == 2 && names[0] == "information_schema" && strings.HasPrefix(names[1], "_pg_"):
	case len(names) == 2 && checkSchema(names[0]) == nil:
		s.functions[names[0]+"."+names[1]] = true
	default:
		s.refuse("the function %s", strings.Join(names, "."))
	}
}

// system judges a function of pg_catalog.
func (s *statement) system(name string, node *pg_query.FuncCall, harmless map[string]bool) {
	switch {
	case name == "nextval" || name == "currval":
		sequence, ok := sequenceArgument(node.Args)
		if !ok {
			s.refuse("%s of something else than a sequence named by a literal", name)
			return
		}
		s.sequences[sequence] = true
	case blindFunctions[name]:
		s.refuse("the function %s, behind which a policy cannot see", name)
	case !harmless[name]:
		s.functions[system+"."+name] = true
	}
}

// sequenceArgument reads nextval('name') and nextval('name'::regclass).
func sequenceArgument(args []*pg_query.Node) (string, bool) {
	if len(args) != 1 {
		return "", false
	}
	arg := args[0]
	if cast := arg.GetTypeCast(); cast != nil {
		names := parts(cast.GetTypeName().GetNames())
		if len(names) == 0 || names[len(names)-1] != "regclass" {
			return "", false
		}
		arg = cast.Arg
	}
	literal := arg.GetAConst().GetSval()
	if literal == nil {
		return "", false
	}
	return sequenceName(literal.Sval)
}

// blindFunctions make what a policy has judged untrue, or run SQL and read
// relations by a name in a string; no grant lets them through.
var blindFunctions = set(
	"set_config", "setval", "ts_stat", "ts_rewrite", "lo_import", "lo_export",
	"query_to_xml", "query_to_xmlschema", "query_to_xml_and_xmlschema",
	"cursor_to_xml", "cursor_to_xmlschema",
	"table_to_xml", "table_to_xmlschema", "table_to_xml_and_xmlschema",
	"schema_to_xml", "schema_to_xmlschema", "schema_to_xml_and_xmlschema",
	"database_to_xml", "database_to_xmlschema", "database_to_xml_and_xmlschema",
)

// newerFunctions are harmless ones that PostgreSQL 16 to 18 added. Only with
// pg_catalog in front: on an older server the bare name may be anyone's.
var newerFunctions = set(
	"any_value", "array_reverse", "array_sample", "array_shuffle", "array_sort", "casefold", "crc32", "crc32c", "date_add", "date_subtract",
	"erf", "erfc", "gamma", "lgamma", "pg_basetype", "pg_get_acl", "pg_input_error_info", "pg_input_is_valid",
	"random_normal", "system_user", "to_bin", "to_oct", "to_regtypemod", "unicode_assigned", "unicode_version",
	"uuid_extract_timestamp", "uuid_extract_version", "uuidv4", "uuidv7", "xmltext",
)

//go:generate sh -c "psql -XAtq -f catalog.sql > catalog.txt"

// catalogText is what a PostgreSQL 15 server has in pg_catalog; catalog.sql makes
// it and says what is harmless and why.
//
//go:embed catalog.txt
var catalogText string

var harmlessFunctions, systemFunctions, systemRelations = readCatalog(catalogText)

func readCatalog(text string) (harmless, functions, relations map[string]bool) {
	harmless, functions, relations = map[string]bool{}, map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(text) {
		what, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch what {
		case "harmless":
			harmless[name], functions[name] = true, true
		case "other":
			functions[name] = true
		case "relation":
			relations[name] = true
		}
	}
	return harmless, functions, relations
}

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, name := range names {
		m[name] = true
	}
	return m
}
