package sql

import (
	"errors"
	"fmt"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"
)

// maxCopied bounds columns times bytes of SET (a, b, …) = source: the parse tree holds
// the source once for each column (gram.y, set_clause), and is handed over written
// out: 4 kB of text became 740 MB.
const maxCopied = 200_000

// checkAssignments bounds that before it is parsed.
func checkAssignments(text string) error {
	if strings.Count(text, ",")*len(text) <= maxCopied {
		return nil
	}
	scanned, err := pg_query.Scan(text)
	if err != nil {
		return fmt.Errorf("PostgreSQL's grammar does not read it: %w", err)
	}
	tokens := scanned.Tokens
	type brackets struct {
		columns int
		// target says that they may be those of SET (a, b), or of a further one.
		target bool
	}
	copied := 0
	var open []brackets
	var last pg_query.Token
	for i, token := range tokens {
		before := last
		switch token.Token {
		case pg_query.Token_SQL_COMMENT, pg_query.Token_C_COMMENT:
			continue
		case pg_query.Token_ASCII_40: // (
			open = append(open, brackets{1, before == pg_query.Token_SET || before == pg_query.Token_ASCII_44})
		case pg_query.Token_ASCII_44: // ,
			if n := len(open); n > 0 {
				open[n-1].columns++
			}
		case pg_query.Token_ASCII_41: // )
			n := len(open)
			if n == 0 {
				break
			}
			columns, target := open[n-1].columns, open[n-1].target
			open = open[:n-1]
			if next := after(tokens, i); target && columns > 1 && next < len(tokens) && tokens[next].Token == pg_query.Token_ASCII_61 {
				copied += columns * sourceLength(tokens[next:])
			}
		default:
		}
		last = token.Token
		if copied > maxCopied {
			return errors.New("SET of too many columns from one source")
		}
	}
	return nil
}

// after is the next token that is no comment.
func after(tokens []*pg_query.ScanToken, i int) int {
	for i++; i < len(tokens); i++ {
		if kind := tokens[i].Token; kind != pg_query.Token_SQL_COMMENT && kind != pg_query.Token_C_COMMENT {
			return i
		}
	}
	return i
}

// sourceLength is the bytes up to where the expression behind "=" must have ended.
func sourceLength(tokens []*pg_query.ScanToken) int {
	depth, begin := 0, tokens[0].Start
	for _, token := range tokens {
		switch token.Token {
		case pg_query.Token_ASCII_40:
			depth++
		case pg_query.Token_ASCII_41:
			depth--
		case pg_query.Token_ASCII_44, pg_query.Token_WHERE, pg_query.Token_FROM, pg_query.Token_RETURNING:
			if depth == 0 {
				return int(token.Start - begin)
			}
		case pg_query.Token_ASCII_59: // ;
			return int(token.Start - begin)
		default:
		}
		if depth < 0 {
			return int(token.Start - begin)
		}
	}
	return int(tokens[len(tokens)-1].End - begin)
}
