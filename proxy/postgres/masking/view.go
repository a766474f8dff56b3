package masking

import (
	"github.com/sallyport/sallyport/proxy/postgres/catalog"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

// viewColumn is the mask of one column of a view: what the view's query says of it,
// else the strictest of all that the view depends on.
func (x *index) viewColumn(view *catalog.Relation, number int16) choice {
	whole, ok := x.views[view.OID]
	if !ok {
		return choice{}
	}
	own := x.columns[view.OID][number]
	if known, ok := x.viewColumns[view.OID]; ok {
		if known == nil {
			return whole
		}
		c := known[number]
		c.join(own)
		return c
	}
	// Meanwhile a view that comes back to itself is masked whole.
	x.viewColumns[view.OID] = nil
	x.viewColumns[view.OID] = x.readView(view)
	return x.viewColumn(view, number)
}

// readView is the masks of a view's columns by number; nil where its query does not
// tell.
func (x *index) readView(view *catalog.Relation) map[int16]choice {
	statements := sql.Read(view.View, sql.Session{Catalog: x.snapshot, SearchPath: x.snapshot.Path})
	if len(statements) != 1 || len(statements[0].Outputs) != len(view.Columns) || statements[0].Action.Unknown != "" {
		return nil
	}
	columns := map[int16]choice{}
	for i, output := range statements[0].Outputs {
		var c choice
		for _, u := range output.Columns {
			if x.snapshot.Resolve(nil, u.Schema, u.Relation) == nil {
				return nil
			}
			c.join(x.use(u))
		}
		if !output.Plain {
			c = c.computed()
		}
		columns[view.Columns[i].Number] = c
	}
	return columns
}
