package sql

import (
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/catalog"
)

// Session is what the meaning of a text depends on beside the text.
type Session struct {
	// Catalog of the target; nil where nothing is known of it, and names are taken as
	// they are written.
	Catalog *catalog.Snapshot
	// SearchPath is the session's real one, as current_schemas(true) says.
	SearchPath []string
	// Unrestricted says that the grant is: session settings, schema changes and
	// prepared text are then actions like others, where they would be Unknown.
	Unrestricted bool
}

// Statement is one statement of a text.
type Statement struct {
	Action policy.Action
	// Begin and End are its bytes in the text.
	Begin, End int
	// Outputs are the columns of its result; nil where that is not known, and each
	// column may come from anything that Action reads.
	Outputs []Output
	// Node is the prepared statement, cursor, savepoint or channel that it names, as
	// PostgreSQL reads the name; "" where it names none or all.
	Node string
	// Prepares is the text of the statement behind PREPARE … AS.
	Prepares string
	// MovesPath says that search_path may be another one afterwards, MovesCatalog
	// that relations, columns or functions may be.
	MovesPath, MovesCatalog bool
	// SyntaxError is what PostgreSQL's parser says, with the position in characters
	// from 1; only for a text that it does not read.
	SyntaxError string
	Position    int
}

// Output is a column of a result: the columns that its value is computed from.
type Output struct {
	Columns []policy.ColumnUse
	// Plain says that it is the one column itself, unchanged.
	Plain bool
}
