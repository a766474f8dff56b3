package sql

import (
	"regexp"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"
)

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
	names := parts(t.GetNames())
	switch {
	case t.GetPctType() || t.GetSetof():
		s.refuse("%%TYPE or SETOF in the statement")
	case len(names) == 1:
	case len(names) == 2 && (names[0] == system || names[0] == public || names[0] == "information_schema"):
	default:
		s.beyond("the type %s", strings.Join(names, "."))
	}
	for _, modifier := range t.GetTypmods() {
		if modifier.GetAConst() == nil && modifier.GetColumnRef() == nil {
			s.refuse("the modifier of a type")
		}
	}
}

// operation notes what an operator calls, and says whether it may do more than compute.
func (s *statement) operation(node *pg_query.A_Expr) bool {
	switch node.Kind {
	case pg_query.A_Expr_Kind_AEXPR_BETWEEN, pg_query.A_Expr_Kind_AEXPR_NOT_BETWEEN,
		pg_query.A_Expr_Kind_AEXPR_BETWEEN_SYM, pg_query.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM:
		harmful := false
		for _, symbol := range []string{"<", "<=", ">", ">="} {
			harmful = s.symbol(symbol) || harmful
		}
		return harmful
	default:
		return s.operator(node.Name)
	}
}

// operator takes unqualified operators, and OPERATOR(pg_catalog.…).
func (s *statement) operator(nodes []*pg_query.Node) bool {
	switch len(nodes) {
	case 0:
		return false
	case 1:
		return s.symbol(nodes[0].GetString_().GetSval())
	}
	names := parts(nodes)
	if len(names) == 2 && names[0] == system {
		return false
	}
	s.beyond("the operator %s", strings.Join(names, "."))
	if s.in.Catalog == nil {
		return true
	}
	return s.operators([]string{names[len(names)-2]}, names[len(names)-1])
}

// symbol is an operator without a schema: pg_catalog's, or any of the search path.
func (s *statement) symbol(symbol string) bool {
	return s.in.Catalog != nil && s.operators(s.path, symbol)
}

// operators notes the functions behind operators. Those of an extension that only
// compute, as citext's =, the grant need not name: every statement would call them.
func (s *statement) operators(path []string, symbol string) bool {
	harmful := false
	for _, o := range s.in.Catalog.Operators(path, symbol) {
		if f := s.in.Catalog.Function(o.Function); f != nil {
			passing := f.Extension && f.Volatility == "immutable"
			s.runs(f, !passing)
			harmful = harmful || !passing
		}
	}
	return harmful
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
func (s *statement) sequenceName(text string) (name string, ok bool) {
	match := sequencePattern.FindStringSubmatch(text)
	if match == nil {
		return "", false
	}
	schema, relation := identifier(match[1]), identifier(match[2])
	if len(schema) > maxIdentifier || len(relation) > maxIdentifier {
		return "", false
	}
	found := s.relationNamed(schema, relation)
	return found.schema + "." + found.name, true
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
