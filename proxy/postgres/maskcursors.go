package postgres

import "github.com/sallyport/sallyport/proxy/postgres/sql"

// cursors are those of a transaction by their names, which to PostgreSQL are the same
// whether DECLARE or Bind has made them. One that is not here may be anything.
type cursors map[string]*cursor

// cursor is one from when it was made until it is closed. The next of its name is another.
type cursor struct {
	reading *sql.Statement
	// from is the cursor that its FETCH takes rows from; nil where that is not known.
	from *cursor
}

// fetches says whether what a statement answers depends on a cursor.
func fetches(s *sql.Statement) bool {
	return s != nil && (s.Action.Kind == "fetch" || s.Action.Kind == "move")
}

// open takes a cursor that the target has made.
func (c cursors) open(name string, reading *sql.Statement) *cursor {
	made := &cursor{reading: reading}
	if fetches(reading) {
		made.from = c[reading.Node]
	}
	delete(c, name)
	switch {
	case distinct(name) != nil:
		// The target may take it for another's.
		clear(c)
	case len(c) < maxNames:
		c[name] = made
	}
	return made
}

// statement is the one whose rows a cursor has; nil is not known. A FETCH keeps rows,
// from a time that is not known, for which its cursor must have been the same all along.
func (c cursors) statement(of *cursor) *sql.Statement {
	for of != nil && fetches(of.reading) {
		if c[of.reading.Node] != of.from {
			return nil
		}
		of = of.from
	}
	if of == nil {
		return nil
	}
	return of.reading
}

// follow takes a statement that has run; known is what it has run.
func (c cursors) follow(reading, known *sql.Statement) {
	switch name := reading.Node; {
	case known.Action.Opaque != "", len(known.Action.Calls) > 0, reading.Action.Kind == "set constraints":
		// A function, or a trigger, may have closed a cursor, and opened another of its name.
		clear(c)
	case reading.Action.Kind == "declare":
		c.open(name, reading)
	case reading.Action.Kind == "close" && (name == "" || distinct(name) != nil):
		clear(c)
	case reading.Action.Kind == "close":
		delete(c, name)
	}
}
