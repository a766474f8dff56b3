package sql

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"
)

const (
	public = "public"
	system = "pg_catalog"
)

// relationName resolves a relation as for the task's role, whose search_path is
// public. A database in front needs no look: PostgreSQL takes its own name only.
func relationName(relation *pg_query.RangeVar) (schema, name string, err error) {
	schema, name = relation.GetSchemaname(), relation.GetRelname()
	switch {
	case name == "":
		return "", "", errors.New("a relation without a name")
	case schema == "" && systemRelations[name]:
		return system, name, nil
	case schema == "":
		return public, name, nil
	default:
		return schema, name, checkSchema(schema)
	}
}

// checkSchema refuses the schemas whose meaning is the session's own.
func checkSchema(schema string) error {
	if strings.HasPrefix(schema, "pg_temp") || strings.HasPrefix(schema, "pg_toast") {
		return fmt.Errorf("the schema %s", schema)
	}
	return nil
}

// parts are the strings of a dotted name.
func parts(nodes []*pg_query.Node) []string {
	names := make([]string, len(nodes))
	for i, node := range nodes {
		names[i] = node.GetString_().GetSval()
	}
	return names
}

// typeName takes types of PostgreSQL and of public: the input function of a type
// runs when a literal is cast to it.
func (s *statement) typeName(t *pg_query.TypeName) {
	names := parts(t.Names)
	switch {
	case t.PctType || t.Setof:
		s.refuse("%%TYPE or SETOF in the statement")
	case len(names) == 1:
	case len(names) == 2 && (names[0] == system || names[0] == public || names[0] == "information_schema"):
	default:
		s.refuse("the type %s", strings.Join(names, "."))
	}
}

// operator takes unqualified operators, and OPERATOR(pg_catalog.…).
func (s *statement) operator(nodes []*pg_query.Node) {
	names := parts(nodes)
	if len(names) > 2 || len(names) == 2 && names[0] != system {
		s.refuse("the operator %s", strings.Join(names, "."))
	}
}

// sample takes PostgreSQL's own sampling methods; another is a function.
func (s *statement) sample(node *pg_query.RangeTableSample) {
	names := parts(node.Method)
	if len(names) == 2 && names[0] == system {
		names = names[1:]
	}
	if len(names) != 1 || names[0] != "bernoulli" && names[0] != "system" {
		s.refuse("the sampling method %s", strings.Join(names, "."))
	}
}

// sequenceName reads a sequence as the text that nextval takes: "public.id_seq",
// unquoted parts folded to lower case. ok is false for what is not plainly that.
func sequenceName(text string) (name string, ok bool) {
	match := sequencePattern.FindStringSubmatch(text)
	if match == nil {
		return "", false
	}
	schema, relation := identifier(match[1]), identifier(match[2])
	if schema == "" {
		schema = public
	}
	if len(schema) > maxIdentifier || len(relation) > maxIdentifier || checkSchema(schema) != nil {
		return "", false
	}
	return schema + "." + relation, true
}

var sequencePattern = regexp.MustCompile(`^(?:([A-Za-z_][A-Za-z0-9_$]*|"[^".]+")\.)?([A-Za-z_][A-Za-z0-9_$]*|"[^".]+")$`)

// maxIdentifier is NAMEDATALEN less one: PostgreSQL cuts what is longer.
const maxIdentifier = 63

func identifier(text string) string {
	if inner, ok := strings.CutPrefix(text, `"`); ok {
		return strings.TrimSuffix(inner, `"`)
	}
	return strings.ToLower(text)
}
