package sql

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	pg_query "github.com/pganalyze/pg_query_go/v6"
	"github.com/pganalyze/pg_query_go/v6/parser"

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
	// Variables are names that stand for values where no column has them: a function's
	// parameters and variables.
	Variables map[string]bool
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
	// Missing says that it touches a relation or function that the catalog does not
	// have: the target's may be newer.
	Missing bool
	// Chains says that a COMMIT or ROLLBACK begins the next transaction.
	Chains bool
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

// Read says what the statements of a text would do, in order; none for a text
// without a statement. A text that cannot be read is one statement with Unknown
// set.
func Read(text string, in Session) []Statement {
	if err := checkBounds(text); err != nil {
		return []Statement{unread(text, err.Error())}
	}
	if len(text) > largeText {
		large.Lock()
		defer large.Unlock()
	}
	tree, err := pg_query.Parse(text)
	if err != nil {
		return []Statement{unparsed(text, err)}
	}
	if len(tree.Stmts) > maxStatements {
		return []Statement{unread(text, fmt.Sprintf("%d statements in one message, the limit is %d", len(tree.Stmts), maxStatements))}
	}
	path := in.effectivePath()
	statements := make([]Statement, len(tree.Stmts))
	for i, raw := range tree.Stmts {
		read := &statements[i]
		read.Begin, read.End = extent(text, raw)
		s := newStatement(in, path, text[read.Begin:read.End])
		kind := s.classify(raw.GetStmt())
		read.Action = s.action(kind)
		read.Action.Statements, read.Action.Position = len(tree.Stmts), i
		read.Outputs, read.Node, read.Prepares = s.outputs, s.node, s.prepares
		read.MovesPath, read.MovesCatalog = s.movesPath, s.movesCatalog
		read.Chains = raw.GetStmt().GetTransactionStmt().GetChain()
	}
	return statements
}

// large lets one text at a time through that takes much memory to parse.
var large sync.Mutex

// extent is where a statement stands in its text, without the space around it.
func extent(text string, raw *pg_query.RawStmt) (begin, end int) {
	begin, end = int(raw.StmtLocation), len(text)
	if raw.StmtLen > 0 {
		end = begin + int(raw.StmtLen)
	}
	const space = " \t\n\r\f\v"
	begin += len(text[begin:end]) - len(strings.TrimLeft(text[begin:end], space))
	return begin, begin + len(strings.TrimRight(text[begin:end], space))
}

func unread(text, reason string) Statement {
	return Statement{Action: policy.Action{Protocol: protocol, Unknown: reason, Statements: 1}, End: len(text)}
}

// unparsed is a text that PostgreSQL's grammar does not read.
func unparsed(text string, err error) Statement {
	s := unread(text, "PostgreSQL's grammar does not read it: "+err.Error())
	if syntax, ok := errors.AsType[*parser.Error](err); ok {
		s.SyntaxError, s.Position = syntax.Message, syntax.Cursorpos
	}
	return s
}
