package reach

import (
	"slices"
	"strings"

	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/catalog"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

// builtin notes a call of one of PostgreSQL's own functions behind the statement.
func (w *walk) builtin(call policy.Call, at origin) {
	if !at.top && strings.HasPrefix(call.Function, "pg_catalog.") {
		call.Via = at.via
		w.calls[call] = true
	}
}

// named follows the functions of a name, schema.name: which of them runs, the types
// of its arguments decide.
func (w *walk) named(name string, at origin) {
	schema, function, _ := strings.Cut(name, ".")
	overloads := w.snapshot.Functions(nil, schema, function)
	if len(overloads) == 0 && schema != "pg_catalog" && schema != "information_schema" {
		w.found.missing = true
		w.calls[policy.Call{Function: name, Opaque: true, Via: at.via}] = true
		w.conceal("function %s is not in the target's catalog as this session has read it", name)
	}
	for _, f := range overloads {
		w.call(f.OID, at)
	}
}

// call follows one function. PostgreSQL's own are not in the catalog: they are
// judged by name where a statement calls them.
func (w *walk) call(oid uint32, at origin) {
	f := w.snapshot.Function(oid)
	if f == nil || !w.spend(at) {
		return
	}
	name := f.Schema + "." + f.Name.Name
	call := policy.Call{Function: name, Volatility: f.Volatility, Definer: f.Definer, Via: at.via}
	body := w.body(f, at.path)
	call.Opaque = body.opaque != ""
	w.calls[call] = true
	if body.opaque != "" {
		w.conceal("function %s %s", name, body.opaque)
		return
	}
	key := step{oid: oid, event: 'f'}
	if at.row != nil {
		key.row = at.row.OID
	}
	key.path = body.key
	if w.done[key] {
		return
	}
	w.done[key] = true
	inside := origin{path: body.path, via: "function " + name, inside: true, depth: at.depth + 1, row: at.row}
	if at.via != "" {
		inside.via = at.via + ", " + inside.via
	}
	for _, part := range f.Calls {
		w.call(part, inside)
	}
	for _, s := range body.statements {
		w.statement(s, inside)
	}
	w.rows(body.rows, inside)
}

// rows notes the columns of NEW and OLD that a trigger's function reads.
func (w *walk) rows(columns []string, at origin) {
	if at.row == nil {
		return
	}
	for _, column := range columns {
		w.column(policy.ColumnUse{Schema: at.row.Schema, Relation: at.row.Name.Name, Column: column, Use: policy.UseCall}, at)
	}
}

// rule follows a rule of a table: CREATE RULE … DO statements.
func (w *walk) rule(rule catalog.Rule, at origin) {
	statements, rows := w.ruleBody(rule)
	for _, s := range statements {
		if reason := unfit(s); reason != "" {
			w.conceal("%s: %s", at.via, reason)
			return
		}
		w.statement(s, at)
	}
	w.rows(rows, at)
}

// unfit is why a statement of a body is not followed, "" where it is.
func unfit(s sql.Statement) string {
	if s.Action.Unknown != "" {
		return s.Action.Unknown
	}
	if s.Action.Opaque != "" {
		return s.Action.Opaque
	}
	switch {
	case !fit[s.Action.Kind]:
		return "it runs " + strings.ToUpper(s.Action.Kind)
	case len(s.Action.Settings) > 0:
		return "it sets " + strings.Join(s.Action.Settings, ", ")
	case slices.ContainsFunc(s.Action.Functions, drawsUnnamed):
		return "it uses a sequence that it names at run time"
	default:
		return ""
	}
}

var fit = map[string]bool{
	"select": true, "values": true, "insert": true, "update": true, "delete": true, "merge": true, "call": true, "declare": true,
	"fetch": true, "move": true, "close": true, "explain": true, "show": true, "lock": true,
}

// drawsUnnamed finds the functions of sequences, which a reading leaves out where it
// knows the sequence.
func drawsUnnamed(name string) bool {
	return name == "pg_catalog.nextval" || name == "pg_catalog.currval" || name == "pg_catalog.setval"
}
