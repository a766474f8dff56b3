package sql

import (
	"regexp"
	"strings"
	"unicode/utf8"

	pg_query "github.com/pganalyze/pg_query_go/v6"
)

// scrubbed stands where a password stood.
const scrubbed = "'***'"

// Scrub replaces the password literals of a text, for where it is kept or shown:
// PASSWORD '…' of roles and in options, CONNECTION '…', and these inside literals
// that hold SQL. What cannot be scanned is cut where the word stands.
func Scrub(text string) string {
	if !doubled(text) {
		return text
	}
	at := secretWord.FindStringIndex(text)
	if at == nil {
		return text
	}
	cut := text[:at[0]] + "***"
	if _, operators := measure(text); len(text) > maxText || operators > maxOperators || strings.IndexByte(text, 0) >= 0 || !utf8.ValidString(text) {
		return cut
	}
	scanned, err := pg_query.Scan(text)
	if err != nil {
		return cut
	}
	var b strings.Builder
	kept, armed := 0, false
	for _, token := range scanned.Tokens {
		begin, end := int(token.Start), int(token.End)
		word := text[begin:end]
		switch token.Token {
		case pg_query.Token_SQL_COMMENT, pg_query.Token_C_COMMENT:
		case pg_query.Token_SCONST, pg_query.Token_USCONST:
			if clean := scrubLiteral(word, armed); clean != word {
				b.WriteString(text[kept:begin])
				b.WriteString(clean)
				kept = end
			}
			armed = false
		default:
			// Between the word and its literal stands at most a sign of equality.
			name := strings.Trim(word, `"`)
			armed = strings.EqualFold(name, "password") || strings.EqualFold(name, "connection") || armed && word == "="
		}
	}
	b.WriteString(text[kept:])
	return b.String()
}

// doubled says whether the text has the double letter of either word: most have not, and
// are spared the expression.
func doubled(text string) bool {
	for i := 1; i < len(text); i++ {
		if c := text[i] | 0x20; c == text[i-1]|0x20 && (c == 's' || c == 'n') {
			return true
		}
	}
	return false
}

var (
	secretWord    = regexp.MustCompile(`(?i)password|connection`)
	secretInside  = regexp.MustCompile(`(?i)(password|connection)("?\s*=|["\s]*(''|\\')|\s*\$)`)
	dollarLiteral = regexp.MustCompile(`^\$[^$]*\$`)
)

// scrubLiteral takes a literal that is a password itself, or may hold one.
func scrubLiteral(literal string, secret bool) string {
	if secret {
		return scrubbed
	}
	if tag := dollarLiteral.FindString(literal); tag != "" && len(literal) >= 2*len(tag) {
		return tag + Scrub(literal[len(tag):len(literal)-len(tag)]) + tag
	}
	if secretInside.MatchString(literal) {
		return scrubbed
	}
	return literal
}
