package reach

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/catalog"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

// view is what a view's query says.
type view struct {
	statement sql.Statement
	// reason is why the query, or something in it, cannot be looked into. Unread says
	// that nothing of it can: pg_depend then tells relations and functions.
	reason string
	unread bool
	// base is what a write to the view goes to; nil where it may be any.
	base *catalog.Relation
}

// view reads a view's query, once.
func (r *Reach) view(relation *catalog.Relation) *view {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.views[relation.OID]; known != nil {
		return known
	}
	v := &view{reason: "its query is not understood", unread: true}
	statements := sql.Read(relation.View, r.session(r.snapshot.Path))
	if len(statements) == 1 {
		v.statement, v.reason = statements[0], unfit(statements[0])
		v.unread = v.statement.Action.Unknown != ""
	}
	if !v.unread {
		v.base = r.base(relation.View)
	}
	r.views[relation.OID] = v
	return v
}

// base is the one relation in the FROM of a query, if it is one.
func (r *Reach) base(query string) *catalog.Relation {
	tree, err := pg_query.Parse(query)
	if err != nil || len(tree.Stmts) != 1 {
		return nil
	}
	from := tree.Stmts[0].GetStmt().GetSelectStmt().GetFromClause()
	if len(from) != 1 || from[0].GetRangeVar() == nil {
		return nil
	}
	return r.snapshot.Resolve(r.snapshot.Path, from[0].GetRangeVar().Schemaname, from[0].GetRangeVar().Relname)
}

// throughView follows an event of a view to what its query reads and, where no
// trigger or rule takes its place, writes.
func (w *walk) throughView(r *catalog.Relation, event byte, at origin) {
	through := at.through("view %s.%s", r.Schema, r.Name.Name)
	v := w.view(r)
	if v.reason != "" {
		w.conceal("view %s.%s: %s", r.Schema, r.Name.Name, v.reason)
	}
	written := []*catalog.Relation{v.base}
	if v.base == nil {
		written = nil
	}
	if v.unread {
		for _, on := range r.Reads {
			if relation := w.snapshot.Relation(on.Relation); relation != nil {
				w.touch(relation, reading, through)
				w.column(policy.ColumnUse{Schema: relation.Schema, Relation: relation.Name.Name, Column: "*", Use: policy.UseOutput}, through)
				written = append(written, relation)
			}
		}
	} else {
		written = append(written, w.viewReads(v, through)...)
		if v.base != nil {
			written = written[:1]
		}
	}
	if !changes(event) || instead(r, event) {
		return
	}
	for _, relation := range written {
		w.touch(relation, event, through)
	}
}

// viewReads follows what a view's query reads, and returns its relations. The columns
// of its result are followed where they are used.
func (w *walk) viewReads(v *view, at origin) []*catalog.Relation {
	var relations []*catalog.Relation
	a := v.statement.Action
	for _, access := range a.Access {
		relation := w.snapshot.Resolve(nil, access.Schema, access.Name)
		if relation == nil {
			w.missing(access, at)
			continue
		}
		w.touch(relation, reading, at)
		relations = append(relations, relation)
	}
	for _, use := range a.Columns {
		if use.Use != policy.UseOutput || v.statement.Outputs == nil {
			w.column(use, at)
		}
	}
	for _, call := range a.Calls {
		w.builtin(call, at)
		w.named(call.Function, at)
	}
	for _, name := range a.Functions {
		w.named(name, at)
	}
	for _, name := range a.Sequences {
		w.sequences[name] = true
	}
	return relations
}

// instead says whether a trigger takes the place of a write to a view.
func instead(r *catalog.Relation, event byte) bool {
	for _, trigger := range r.Triggers {
		if trigger.Enabled && trigger.Instead && fires(trigger.Events, event) {
			return true
		}
	}
	return false
}
