package sql

import (
	pg_query "github.com/pganalyze/pg_query_go/v6"

	"github.com/sallyport/sallyport/internal/policy"
)

// sessionKind is for statements that steer the session: transactions, cursors,
// prepared statements, channels.
func (s *statement) sessionKind(node *pg_query.Node) (string, bool) {
	switch stmt := node.GetNode().(type) {
	case *pg_query.Node_DeclareCursorStmt:
		s.node = stmt.DeclareCursorStmt.Portalname
		if stmt.DeclareCursorStmt.GetQuery().GetSelectStmt() == nil {
			s.refuse("a cursor over something else than a SELECT")
		} else if kind := s.classify(stmt.DeclareCursorStmt.Query); kind != "select" && kind != "values" {
			s.refuse("a cursor over %s", kind)
		}
		return "declare", true
	case *pg_query.Node_FetchStmt:
		s.node = stmt.FetchStmt.Portalname
		if stmt.FetchStmt.Ismove {
			return "move", true
		}
		return "fetch", true
	case *pg_query.Node_ClosePortalStmt:
		s.node = stmt.ClosePortalStmt.Portalname
		return "close", true
	case *pg_query.Node_TransactionStmt:
		s.node = stmt.TransactionStmt.SavepointName
		if gid := stmt.TransactionStmt.Gid; gid != "" {
			s.node = gid
		}
		return transactionKind(stmt.TransactionStmt.Kind), true
	case *pg_query.Node_DeallocateStmt:
		s.node = stmt.DeallocateStmt.Name
		return "deallocate", true
	case *pg_query.Node_PrepareStmt:
		s.prepare(stmt.PrepareStmt)
		return "prepare", true
	case *pg_query.Node_ExecuteStmt:
		s.execute(stmt.ExecuteStmt)
		return "execute", true
	case *pg_query.Node_ListenStmt:
		s.node = stmt.ListenStmt.Conditionname
		return "listen", true
	case *pg_query.Node_UnlistenStmt:
		s.node = stmt.UnlistenStmt.Conditionname
		return "unlisten", true
	case *pg_query.Node_NotifyStmt:
		s.node = stmt.NotifyStmt.Conditionname
		return "notify", true
	case *pg_query.Node_DiscardStmt:
		s.discard(stmt.DiscardStmt.Target)
		return "discard", true
	default:
		return "", false
	}
}

// prepare is judged as what it prepares, though nothing runs yet.
func (s *statement) prepare(stmt *pg_query.PrepareStmt) {
	s.beyond("PREPARE at SQL level is for unrestricted grants: use the protocol's prepared statements")
	s.node = stmt.Name
	for _, t := range stmt.Argtypes {
		s.typeName(t.GetTypeName())
	}
	s.classify(stmt.Query)
	s.outputs = nil
	s.prepares = behindAs(s.text)
	if s.prepares == "" {
		s.refuse("PREPARE without a text")
	}
}

// behindAs is the text behind the first AS that stands in no brackets.
func behindAs(text string) string {
	scanned, err := pg_query.Scan(text)
	if err != nil {
		return ""
	}
	depth := 0
	for _, token := range scanned.Tokens {
		switch token.Token {
		case pg_query.Token_ASCII_40:
			depth++
		case pg_query.Token_ASCII_41:
			depth--
		case pg_query.Token_AS:
			if depth == 0 {
				return text[token.End:]
			}
		default:
		}
	}
	return ""
}

// execute runs what was prepared under a name; its arguments are expressions that
// run too.
func (s *statement) execute(stmt *pg_query.ExecuteStmt) {
	s.beyond("EXECUTE at SQL level is for unrestricted grants: use the protocol's prepared statements")
	s.node = stmt.Name
	var read columns
	s.expressions(stmt.Params, &place{}, &read)
	s.use(read.list, policy.UseCall)
}

// discard of everything resets every setting, and closes what is open.
func (s *statement) discard(target pg_query.DiscardMode) {
	switch target {
	case pg_query.DiscardMode_DISCARD_ALL:
		s.settings = []string{"*"}
		s.movesPath, s.movesCatalog = true, true
	case pg_query.DiscardMode_DISCARD_TEMP:
		s.movesCatalog = true
	default: // plans and sequences are the server's own business
	}
}
