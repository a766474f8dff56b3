package postgres

import (
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

// Judge says what texts do. It is safe for concurrent use; what it returns is shared,
// and not to be changed.
type Judge interface {
	// Read returns one statement for each of the text, in order; none for a text
	// without a statement. A text that cannot be read is one whose Action is Unknown.
	Read(text string, in sql.Session) []sql.Statement
}

// Classified is a Judge that knows the text alone.
type Classified func(text string) []policy.Action

// Read returns the actions, and nothing beside them.
func (c Classified) Read(text string, _ sql.Session) []sql.Statement {
	actions := c(text)
	statements := make([]sql.Statement, len(actions))
	for i, action := range actions {
		statements[i].Action = action
	}
	return statements
}
