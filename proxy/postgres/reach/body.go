package reach

import (
	"fmt"
	"slices"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sallyport/sallyport/proxy/postgres/catalog"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

// body is what a function does.
type body struct {
	statements []sql.Statement
	// rows are the columns of NEW and OLD that it reads, "*" for whole rows.
	rows []string
	// opaque is why it cannot be looked into, to follow its name.
	opaque string
	// path is the search_path inside, key the same as one string.
	path []string
	key  string
}

type bodyKey struct {
	function uint32
	path     string
}

// body reads a function as it runs under the search_path of its caller, once.
func (r *Reach) body(f *catalog.Function, path []string) *body {
	if f.SearchPath != nil {
		path = f.SearchPath
	}
	key := bodyKey{f.OID, strings.Join(path, "\x00")}
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.bodies[key]; known != nil {
		return known
	}
	b := &body{path: path, key: key.path}
	r.read(b, f)
	// Sessions choose paths: what has grown strange starts anew.
	if len(r.bodies) >= maxBodies {
		clear(r.bodies)
	}
	r.bodies[key] = b
	return b
}

const maxBodies = 50_000

// session is what definitions are read in: what only unrestricted grants may do by
// themselves is to be understood too.
func (r *Reach) session(path []string) sql.Session {
	return sql.Session{Catalog: r.snapshot, SearchPath: path, Unrestricted: true}
}

// within is what a function's body is read in: its parameters have names there, alone
// or behind its own.
func (r *Reach) within(f *catalog.Function, path []string) sql.Session {
	in := r.session(path)
	in.Variables = map[string]bool{f.Name.Name: true}
	for _, name := range f.Parameters {
		in.Variables[name] = true
	}
	return in
}

// changing are settings with which a text means something else.
var changing = []string{"standard_conforming_strings", "backslash_quote", "role", "session_authorization", "session_replication_role", "array_nulls", "transform_null_equals"}

func (r *Reach) read(b *body, f *catalog.Function) {
	for _, setting := range f.Settings {
		if slices.Contains(changing, setting) || strings.HasPrefix(setting, "plpgsql.") {
			b.opaque = "sets " + setting
			return
		}
	}
	if f.Kind == 'a' || f.Kind == 'w' && f.Language != "sql" && f.Language != "plpgsql" && f.Volatility == "immutable" {
		return
	}
	switch {
	case f.Language == "sql" && f.Atomic:
		b.sql(f.Body, r.within(f, r.snapshot.Path))
	case f.Language == "sql":
		b.sql(f.Body, r.within(f, b.path))
	case f.Language == "plpgsql":
		b.plpgsql(f.Body, r.within(f, b.path))
	case (f.Language == "c" || f.Language == "internal") && (f.Volatility == "immutable" || f.Extension && harmless[f.Name.Name]):
	default:
		b.opaque = fmt.Sprintf("is written in %s and %s", f.Language, f.Volatility)
	}
}

// harmless are functions of PostgreSQL's own extensions that are not immutable and
// touch nothing: uuid-ossp, pgcrypto.
var harmless = map[string]bool{
	"uuid_generate_v1": true, "uuid_generate_v1mc": true, "uuid_generate_v4": true,
	"gen_salt": true, "gen_random_bytes": true, "gen_random_uuid": true,
}

// sql reads a body of SQL statements.
func (b *body) sql(text string, in sql.Session) {
	for _, s := range sql.Read(text, in) {
		if reason := unfit(s); reason != "" {
			b.opaque = "cannot be looked into: " + reason
			return
		}
		b.statements = append(b.statements, s)
	}
}

// ruleBody reads a rule's definition, once: its actions, and the columns of NEW and
// OLD that they read.
func (r *Reach) ruleBody(rule catalog.Rule) (statements []sql.Statement, rows []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.rules[rule.Definition]; ok {
		return known.statements, known.rows
	}
	known := r.readRule(rule.Definition)
	r.rules[rule.Definition] = known
	return known.statements, known.rows
}

// readRule reads the actions of a CREATE RULE as statements of their own, and its
// condition as a SELECT.
func (r *Reach) readRule(definition string) ruleReading {
	unread := func(reason string) ruleReading {
		var s sql.Statement
		s.Action.Unknown = reason
		return ruleReading{statements: []sql.Statement{s}}
	}
	if err := sql.CheckBounds(definition); err != nil {
		return unread(err.Error())
	}
	tree, err := pg_query.Parse(definition)
	if err != nil || len(tree.Stmts) != 1 || tree.Stmts[0].GetStmt().GetRuleStmt() == nil {
		return unread("its definition is not understood")
	}
	rule := tree.Stmts[0].GetStmt().GetRuleStmt()
	actions := rule.Actions
	if rule.WhereClause != nil {
		actions = append(slices.Clone(actions), selectOf(rule.WhereClause))
	}
	reading := ruleReading{}
	for _, action := range actions {
		if action.GetList() != nil {
			actions = append(actions, action.GetList().Items...)
		}
	}
	for _, action := range actions {
		if action.GetNode() == nil || action.GetList() != nil || action.GetNotifyStmt() != nil {
			continue
		}
		text, err := pg_query.Deparse(&pg_query.ParseResult{Version: tree.Version, Stmts: []*pg_query.RawStmt{{Stmt: action}}})
		if err != nil {
			return unread("its definition is not understood")
		}
		reading.statements = append(reading.statements, sql.Read(text, r.session(r.snapshot.Path))...)
		reading.rows = appendRows(reading.rows, action.ProtoReflect())
	}
	return reading
}

type ruleReading struct {
	statements []sql.Statement
	rows       []string
}

func selectOf(expression *pg_query.Node) *pg_query.Node {
	return &pg_query.Node{Node: &pg_query.Node_SelectStmt{SelectStmt: &pg_query.SelectStmt{
		TargetList:  []*pg_query.Node{pg_query.MakeResTargetNodeWithVal(expression, 0)},
		LimitOption: pg_query.LimitOption_LIMIT_OPTION_DEFAULT, Op: pg_query.SetOperation_SETOP_NONE,
	}}}
}

// appendRows adds the columns of NEW and OLD that are read beneath a node.
func appendRows(rows []string, m protoreflect.Message) []string {
	if ref, ok := m.Interface().(*pg_query.ColumnRef); ok {
		if column, ok := rowColumn(ref); ok && !slices.Contains(rows, column) {
			rows = append(rows, column)
		}
		return rows
	}
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Message() == nil:
		case field.IsList():
			for i := range value.List().Len() {
				rows = appendRows(rows, value.List().Get(i).Message())
			}
		default:
			rows = appendRows(rows, value.Message())
		}
		return true
	})
	return rows
}

func rowColumn(ref *pg_query.ColumnRef) (column string, ok bool) {
	switch first := strings.ToLower(ref.Fields[0].GetString_().GetSval()); first {
	case "new", "old":
	default:
		return "", false
	}
	if len(ref.Fields) == 1 || ref.Fields[1].GetString_() == nil {
		return "*", true
	}
	return ref.Fields[1].GetString_().GetSval(), true
}
