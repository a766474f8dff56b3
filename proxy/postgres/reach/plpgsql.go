package reach

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

// plpgsql reads a CREATE FUNCTION with a body in PL/pgSQL: every query and every
// expression in it.
func (b *body) plpgsql(definition string, in sql.Session) {
	if err := b.readPLpgSQL(definition, in); err != nil {
		b.statements, b.opaque = nil, err.Error()
	}
}

func (b *body) readPLpgSQL(definition string, in sql.Session) error {
	if err := sql.CheckBounds(definition); err != nil {
		return fmt.Errorf("cannot be looked into: %w", err)
	}
	definition, err := withRecords(definition)
	if err != nil {
		return err
	}
	parsed, err := pg_query.ParsePlPgSqlToJSON(definition)
	if err != nil {
		return fmt.Errorf("cannot be looked into: %w", err)
	}
	var tree any
	if err := json.Unmarshal([]byte(parsed), &tree); err != nil {
		return fmt.Errorf("cannot be looked into: %w", err)
	}
	in.Variables = maps.Clone(in.Variables)
	if in.Variables == nil {
		in.Variables = map[string]bool{}
	}
	for _, name := range special {
		in.Variables[name] = true
	}
	declared(tree, in.Variables)
	return b.node(tree, "", in)
}

// special are the variables that PL/pgSQL has by itself. What is read through NEW and
// OLD is noted apart.
var special = []string{
	"new", "old", "found", "sqlstate", "sqlerrm", "tg_name", "tg_when", "tg_level", "tg_op", "tg_relid", "tg_relname", "tg_table_name",
	"tg_table_schema", "tg_nargs", "tg_argv", "tg_event", "tg_tag",
}

// declared adds the names of variables.
func declared(tree any, names map[string]bool) {
	switch n := tree.(type) {
	case []any:
		for _, one := range n {
			declared(one, names)
		}
	case map[string]any:
		if name, ok := n["refname"].(string); ok {
			names[name] = true
		}
		for _, value := range n {
			declared(value, names)
		}
	}
}

// node reads what PL/pgSQL's own parser made of a body. It is nested as deeply as its
// blocks, which the parser bounds.
func (b *body) node(tree any, name string, in sql.Session) error {
	switch n := tree.(type) {
	case []any:
		for _, one := range n {
			if err := b.node(one, name, in); err != nil {
				return err
			}
		}
	case map[string]any:
		if name == "PLpgSQL_expr" {
			return b.expression(n, in)
		}
		if strings.HasPrefix(name, "PLpgSQL_stmt_") && !followed[strings.TrimPrefix(name, "PLpgSQL_stmt_")] || n["dynquery"] != nil {
			return errors.New("runs SQL that it makes at run time (EXECUTE), or ends transactions")
		}
		if name == "PLpgSQL_stmt_return" && returnsRow(n) {
			return nil
		}
		for child, value := range n {
			if err := b.node(value, child, in); err != nil {
				return err
			}
		}
	}
	return nil
}

// followed are the statements of PL/pgSQL whose queries and expressions are all that
// they do.
var followed = map[string]bool{
	"block": true, "assign": true, "if": true, "case": true, "loop": true, "while": true, "fori": true, "fors": true,
	"forc": true, "foreach_a": true, "exit": true, "return": true, "return_next": true, "return_query": true, "raise": true,
	"assert": true, "execsql": true, "getdiag": true, "open": true, "fetch": true, "close": true, "perform": true, "call": true,
}

// returnsRow says whether a trigger hands on the row that it was given.
func returnsRow(n map[string]any) bool {
	expression, _ := n["expr"].(map[string]any)
	inner, _ := expression["PLpgSQL_expr"].(map[string]any)
	text, _ := inner["query"].(string)
	return strings.EqualFold(text, "new") || strings.EqualFold(text, "old")
}

// The ways to parse an expression (RawParseMode of PostgreSQL's parser).
const (
	parseStatement  = 0
	parseExpression = 2
)

func (b *body) expression(n map[string]any, in sql.Session) error {
	text, _ := n["query"].(string)
	mode, _ := n["parseMode"].(float64)
	switch int(mode) {
	case parseStatement:
	case parseExpression:
		text = "SELECT " + text
	default:
		assigned, err := assignment(text)
		if err != nil {
			return err
		}
		text = assigned
	}
	statements := sql.Read(text, in)
	if len(statements) != 1 {
		return fmt.Errorf("cannot be looked into: %d statements where one is", len(statements))
	}
	if reason := unfit(statements[0]); reason != "" {
		return errors.New("cannot be looked into: " + reason)
	}
	b.statements = append(b.statements, statements[0])
	tree, err := pg_query.Parse(text)
	if err != nil {
		return fmt.Errorf("cannot be looked into: %w", err)
	}
	b.rows = appendRows(b.rows, tree.ProtoReflect())
	return nil
}

// assignment is the value of target := value, and what subscripts of the target read,
// as a SELECT.
func assignment(text string) (string, error) {
	scanned, err := pg_query.Scan(text)
	if err != nil {
		return "", fmt.Errorf("cannot be looked into: %w", err)
	}
	depth, subscript := 0, -1
	for _, token := range scanned.Tokens {
		switch token.Token {
		case pg_query.Token_ASCII_40, pg_query.Token_ASCII_91: // ( [
			if depth == 0 && subscript < 0 {
				subscript = int(token.Start)
			}
			depth++
		case pg_query.Token_ASCII_41, pg_query.Token_ASCII_93: // ) ]
			depth--
		case pg_query.Token_COLON_EQUALS, pg_query.Token_ASCII_61: // =
			if depth != 0 {
				continue
			}
			value := "SELECT " + text[token.End:]
			if subscript < 0 {
				return value, nil
			}
			return "SELECT (NULL::pg_catalog.int4[])" + text[subscript:token.Start] + ", (" + text[token.End:] + ")", nil
		default: // part of target or value
		}
	}
	return "", errors.New("cannot be looked into: an assignment without a value")
}

// withRecords makes variables of a relation's row type records: PL/pgSQL's parser,
// here without a catalog, takes their types for plain ones. It refuses records with a
// first value, which the parser does not hand over.
func withRecords(definition string) (string, error) {
	begin := strings.Index(definition, "\nAS $")
	if begin < 0 {
		return "", errors.New("cannot be looked into: its definition has no body")
	}
	begin += len("\nAS ")
	tag := strings.IndexByte(definition[begin+1:], '$') + 2
	begin += tag
	end := len(strings.TrimRight(definition, "\n")) - tag
	if begin > end {
		return "", errors.New("cannot be looked into: its definition has no body")
	}
	text := definition[begin:end]
	scanned, err := pg_query.Scan(text)
	if err != nil {
		return "", fmt.Errorf("cannot be looked into: %w", err)
	}
	tokens := slices.DeleteFunc(scanned.Tokens, func(t *pg_query.ScanToken) bool {
		return t.Token == pg_query.Token_SQL_COMMENT || t.Token == pg_query.Token_C_COMMENT
	})
	word := func(i int) string {
		if i < 0 || i >= len(tokens) {
			return ""
		}
		return strings.ToLower(text[tokens[i].Start:tokens[i].End])
	}
	var out strings.Builder
	copied := 0
	for i := range tokens {
		if word(i) == "record" && first(word(i+1)) {
			return "", errors.New("cannot be looked into: a record with a first value")
		}
		if word(i) != "%" || word(i+1) != "rowtype" {
			continue
		}
		if word(i+2) != ";" {
			return "", errors.New("cannot be looked into: a row with a first value")
		}
		start := i - 1
		if word(i-2) == "." {
			start = i - 3
		}
		if start < 1 {
			return "", errors.New("cannot be looked into: a row type")
		}
		out.WriteString(text[copied:tokens[start].Start])
		out.WriteString("record")
		copied = int(tokens[i+1].End)
	}
	out.WriteString(text[copied:])
	return definition[:begin] + out.String() + definition[end:], nil
}

// first says whether a declaration goes on with a first value.
func first(word string) bool {
	return word == ":=" || word == "=" || word == "default" || word == "not"
}
