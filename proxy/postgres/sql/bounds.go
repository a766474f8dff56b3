package sql

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	pg_query "github.com/pganalyze/pg_query_go/v6"
)

// The limits on a text. The parser is C without a stack check (PostgreSQL's own is
// compiled out) and a crash of it ends the proxy, so what it cannot take never
// reaches it. Measured over twenty shapes: what passes needs less than 1 MiB of stack.
const (
	maxText       = 1 << 20
	maxStatements = 1000
	maxDepth      = 1000
	// maxOperators bounds the squares of the lengths of runs of operator
	// characters: PostgreSQL's scanner reads such a run once for each of its
	// characters ("/*/*/*…": a minute for 400 kB).
	maxOperators = 20_000_000
	// largeText is where parsing begins to take megabytes.
	largeText = 64 << 10
)

// CheckBounds says why a text must not reach the parser; nil where it may.
func CheckBounds(text string) error { return checkBounds(text) }

func checkBounds(text string) error {
	switch {
	case len(text) > maxText:
		return fmt.Errorf("%d bytes in one text, the limit is %d", len(text), maxText)
	case strings.IndexByte(text, 0) >= 0:
		return errors.New("a zero byte in the text")
	case !utf8.ValidString(text):
		return errors.New("the text is not UTF-8")
	}
	units, operators := measure(text)
	if operators > maxOperators {
		return errors.New("runs of operator characters too long to be read")
	}
	if err := checkAssignments(text); err != nil || units <= maxDepth {
		return err
	}
	return checkDepth(text)
}

// measure counts what could at most be tokens, and the squares of the runs of
// operator characters, without knowing literals from code.
func measure(text string) (units, operators int) {
	word, run := false, 0
	for i := range len(text) {
		c := text[i]
		if isOperator(c) {
			run++
		} else {
			operators += run * run
			run = 0
		}
		switch {
		case isWord(c):
			if !word {
				units++
			}
			word = true
		case c == ' ' || c >= '\t' && c <= '\r':
			word = false
		default:
			units++
			word = false
		}
	}
	return units, operators + run*run
}

func isOperator(c byte) bool { return strings.IndexByte("~!@#^&|`?+-*/%<>=", c) >= 0 }

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// checkDepth bounds the depth of the parse tree before it is built, from the
// scanner's tokens: a level is open brackets or an open CASE, and the tokens since
// what last began a new branch there. What nests without brackets, across commas and
// AND, counts until its bracket closes.
func checkDepth(text string) error {
	scanned, err := pg_query.Scan(text)
	if err != nil {
		return fmt.Errorf("PostgreSQL's grammar does not read it: %w", err)
	}
	type level struct {
		run, kept int
		inCase    bool
	}
	levels := []level{{}}
	depth := 0
	var last pg_query.Token
	for _, token := range scanned.Tokens {
		at := &levels[len(levels)-1]
		before := last
		last = token.Token
		switch token.Token {
		case pg_query.Token_SQL_COMMENT, pg_query.Token_C_COMMENT:
			continue
		case pg_query.Token_ASCII_59: // ;
			levels, depth = []level{{}}, 0
			continue
		case pg_query.Token_ASCII_44, pg_query.Token_AND, pg_query.Token_OR: // ,
			depth -= at.run
			at.run = 0
			continue
		case pg_query.Token_WHEN, pg_query.Token_THEN, pg_query.Token_ELSE:
			if at.inCase {
				depth -= at.run
				at.run = 0
				continue
			}
			at.run++
		case pg_query.Token_END_P:
			// After a dot it is a column's name.
			if at.inCase && before != pg_query.Token_ASCII_46 {
				depth -= at.run + at.kept
				levels = levels[:len(levels)-1]
				continue
			}
			at.run++
		case pg_query.Token_ASCII_41, pg_query.Token_ASCII_93: // ) ]
			if len(levels) > 1 && !at.inCase {
				depth -= at.run + at.kept
				levels = levels[:len(levels)-1]
			}
			continue
		case pg_query.Token_UNION, pg_query.Token_INTERSECT, pg_query.Token_EXCEPT,
			pg_query.Token_JOIN, pg_query.Token_BETWEEN:
			at.kept++
		default:
			at.run++
		}
		depth++
		if depth > maxDepth {
			return errors.New("nested too deeply to be judged")
		}
		switch token.Token {
		case pg_query.Token_ASCII_40, pg_query.Token_ASCII_91: // ( [
			levels = append(levels, level{})
		case pg_query.Token_CASE:
			levels = append(levels, level{inCase: true})
		default: // opens no level
		}
	}
	return nil
}
