package postgres

import "github.com/sallyport/sallyport/proxy/postgres/sql"

// Judge says what texts do. It is safe for concurrent use; what it returns is shared,
// and not to be changed.
type Judge interface {
	// Read returns one statement for each of the text, in order; none for a text
	// without a statement. A text that cannot be read is one whose Action is Unknown.
	Read(text string, in sql.Session) []sql.Statement
}
