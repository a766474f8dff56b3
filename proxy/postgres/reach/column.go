package reach

import (
	"slices"

	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/catalog"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

// column notes a use of a column, and of those that it stands for: a view's (a
// materialised one holds copies) of those that it is computed from, a partition's or child's of the parent's, and the other
// way round; a generated one for those that it is computed from.
func (w *walk) column(use policy.ColumnUse, at origin) {
	if at.inside && use.Use != policy.UseWrite {
		use.Use = policy.UseCall
	}
	for _, one := range w.behind(use, at.depth) {
		w.columns[one] = true
	}
}

// behind is a use with those that it stands for.
func (w *walk) behind(use policy.ColumnUse, depth int) []policy.ColumnUse {
	key := use
	if key.Use != policy.UseWrite {
		key.Use = policy.UseOutput
	}
	w.mu.Lock()
	known, ok := w.expanded[key]
	w.mu.Unlock()
	if !ok {
		known = distinct(w.expand(key, depth))
		if w.work <= maxWork {
			w.remember(key, known)
		}
	}
	if use.Use == key.Use {
		return known
	}
	out := slices.Clone(known)
	for i := range out {
		out[i].Use = use.Use
	}
	return out
}

// maxColumns bounds what is remembered.
const maxColumns = 20_000

func (r *Reach) remember(key policy.ColumnUse, columns []policy.ColumnUse) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.expanded) >= maxColumns {
		clear(r.expanded)
	}
	r.expanded[key] = columns
}

func (w *walk) expand(use policy.ColumnUse, depth int) []policy.ColumnUse {
	relation := w.snapshot.Resolve(nil, use.Schema, use.Relation)
	out := []policy.ColumnUse{use}
	if relation == nil || !w.spend(origin{depth: depth}) {
		return out
	}
	if defined(relation) {
		return append(out, w.viewColumn(relation, use, depth+1)...)
	}
	if column := relation.Column(use.Column); column != nil && use.Use != policy.UseWrite {
		for _, number := range column.From {
			from := use
			from.Column = relation.ByNumber(number)
			out = append(out, from)
		}
	}
	for _, one := range slices.Clone(out) {
		out = w.relatives(out, relation, one, up, depth)
		out = w.relatives(out, relation, one, down, depth)
	}
	return out
}

func up(r *catalog.Relation) []uint32   { return r.Parents }
func down(r *catalog.Relation) []uint32 { return r.Children }

// relatives adds the same column of parents or of children, and of theirs.
func (w *walk) relatives(out []policy.ColumnUse, r *catalog.Relation, use policy.ColumnUse, which func(*catalog.Relation) []uint32, depth int) []policy.ColumnUse {
	for _, oid := range which(r) {
		relative := w.snapshot.Relation(oid)
		if relative == nil || !w.spend(origin{depth: depth}) {
			continue
		}
		if use.Column != "*" && relative.Column(use.Column) == nil {
			continue
		}
		same := policy.ColumnUse{Schema: relative.Schema, Relation: relative.Name.Name, Column: use.Column, Use: use.Use}
		out = w.relatives(append(out, same), relative, same, which, depth+1)
	}
	return out
}

// viewColumn is what a column of a view is computed from, in the same use.
func (w *walk) viewColumn(r *catalog.Relation, use policy.ColumnUse, depth int) []policy.ColumnUse {
	v := w.view(r)
	var from []policy.ColumnUse
	switch {
	case v.unread:
		for _, on := range r.Reads {
			if relation := w.snapshot.Relation(on.Relation); relation != nil {
				from = append(from, policy.ColumnUse{Schema: relation.Schema, Relation: relation.Name.Name, Column: "*"})
			}
		}
	default:
		for i, column := range r.Columns {
			if use.Column != "*" && use.Column != column.Name {
				continue
			}
			if len(v.statement.Outputs) != len(r.Columns) {
				from = append(from, v.statement.Action.Columns...)
				break
			}
			from = append(from, v.statement.Outputs[i].Columns...)
		}
	}
	var out []policy.ColumnUse
	for _, one := range from {
		one.Use = use.Use
		out = append(out, w.behind(one, depth)...)
	}
	return out
}

// defined says that a relation's columns are those of a query.
func defined(r *catalog.Relation) bool { return (r.Kind == 'v' || r.Kind == 'm') && !system(r) }

// plain says whether a column of a relation is one column of a table, unchanged.
func (w *walk) plain(use policy.ColumnUse, depth int) bool {
	relation := w.snapshot.Resolve(nil, use.Schema, use.Relation)
	if relation == nil || !defined(relation) || depth > maxDepth {
		return true
	}
	v := w.view(relation)
	i := slices.IndexFunc(relation.Columns, func(c catalog.Column) bool { return c.Name == use.Column })
	if v.unread || i < 0 || len(v.statement.Outputs) != len(relation.Columns) {
		return false
	}
	output := v.statement.Outputs[i]
	return output.Plain && len(output.Columns) == 1 && w.plain(output.Columns[0], depth+1)
}

// outputs are those of the statement with what their columns stand for.
func (w *walk) outputs(given []sql.Output) []sql.Output {
	if given == nil {
		return nil
	}
	out := make([]sql.Output, len(given))
	for i, output := range given {
		out[i] = output
		var columns []policy.ColumnUse
		for _, use := range output.Columns {
			columns = append(columns, w.behind(use, 0)...)
			out[i].Plain = out[i].Plain && w.plain(use, 0)
		}
		if len(columns) > len(output.Columns) {
			out[i].Columns = distinct(columns)
		}
	}
	return out
}

func distinct(uses []policy.ColumnUse) []policy.ColumnUse {
	seen := make(map[policy.ColumnUse]bool, len(uses))
	return slices.DeleteFunc(uses, func(u policy.ColumnUse) bool {
		known := seen[u]
		seen[u] = true
		return known
	})
}
