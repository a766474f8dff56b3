package sql

import (
	"fmt"
	"sync"

	pg_query "github.com/pganalyze/pg_query_go/v6"
	"github.com/pganalyze/pg_query_go/v6/parser"
	"google.golang.org/protobuf/proto"
)

// stderr guards file descriptor 2, which is the process's: the C parser points it
// at a pipe of its own while it parses, and back. Two at once would leave it at a
// pipe that nobody reads, and the next line of log would end the process by
// SIGPIPE. Even one at a time swallows what others write there meanwhile: a
// process that parses logs to a duplicate of its stderr.
var stderr sync.Mutex

func parse(text string) (*pg_query.ParseResult, error) {
	stderr.Lock()
	encoded, err := parser.ParseToProtobuf(text)
	stderr.Unlock()
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL's grammar does not read it: %w", err)
	}
	tree := &pg_query.ParseResult{}
	if err := proto.Unmarshal(encoded, tree); err != nil {
		return nil, fmt.Errorf("its parse tree cannot be read: %w", err)
	}
	return tree, nil
}
