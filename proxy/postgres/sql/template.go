package sql

import "strings"

// maxTemplate is the longest text that is worth a template.
const maxTemplate = 2048

// Template replaces the integers of a plain statement by "?", where they are operands
// or in a list: texts with the same template are the same statement but for where it
// ends, or none is read (SyntaxError). ok is false for all texts else: with quotes,
// comments or parameters, with an integer that may be a position in the result, and
// without any integer.
func Template(text string) (template string, ok bool) {
	if len(text) > maxTemplate || !begins(text) {
		return "", false
	}
	var buffer [256]byte
	out := buffer[:0]
	kept := 0
	for i := 0; i < len(text); i++ {
		switch classes[text[i]] {
		case classOther:
			return "", false
		case classLetter:
			begin := i
			for i+1 < len(text) && (classes[text[i+1]] == classLetter || classes[text[i+1]] == classDigit) {
				i++
			}
			if placing(text[begin : i+1]) {
				return "", false
			}
		case classDigit:
			begin := i
			for i+1 < len(text) && classes[text[i+1]] == classDigit {
				i++
			}
			if i+1 < len(text) && (classes[text[i+1]] == classLetter || text[i+1] == '.') {
				return "", false
			}
			if i-begin < maxDigits && operand(text[:begin]) {
				out = append(append(out, text[kept:begin]...), '?')
				kept = i + 1
			}
		case classSign:
			if i > 0 && (text[i] == '-' && text[i-1] == '-' || text[i] == '*' && text[i-1] == '/') {
				return "", false // a comment
			}
		case classEnd:
			if strings.TrimLeft(text[i+1:], " \t\n\r") != "" {
				return "", false
			}
		}
	}
	if kept == 0 {
		return "", false
	}
	return string(append(out, text[kept:]...)), true
}

// maxDigits keeps an integer what the grammar calls one: a longer one is a numeric.
const maxDigits = 9

// begins says whether a text starts as a statement that touches rows.
func begins(text string) bool {
	if len(text) < 8 || text[6] != ' ' {
		return false
	}
	word := text[:6]
	return strings.EqualFold(word, "select") || strings.EqualFold(word, "update") ||
		strings.EqualFold(word, "insert") || strings.EqualFold(word, "delete")
}

// operand says whether an integer behind this stands in an expression or a list. An
// identifier in between would make it something else: LIMIT 1, OFFSET 1.
func operand(before string) bool {
	for i := len(before) - 1; i >= 0; i-- {
		switch classes[before[i]] {
		case classSpace:
		case classSign:
			return before[i] != '.' && before[i] != ')'
		default:
			return false
		}
	}
	return false
}

// placing are words behind which an integer can be a place in the result (ORDER BY,
// GROUP BY, DISTINCT ON), or decide whether PostgreSQL reads the text (float(99)).
func placing(word string) bool {
	switch len(word) {
	case 2:
		return strings.EqualFold(word, "by")
	case 5:
		return strings.EqualFold(word, "float")
	case 8:
		return strings.EqualFold(word, "distinct")
	default:
		return false
	}
}

const (
	classOther = iota
	classSpace
	classLetter
	classDigit
	classSign
	classEnd
)

// classes are of the characters that a text with a template may have.
var classes = func() (of [256]byte) {
	for c := range of {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_':
			of[c] = classLetter
		case c >= '0' && c <= '9':
			of[c] = classDigit
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			of[c] = classSpace
		case strings.IndexByte("(),.=<>+-*/%!", byte(c)) >= 0:
			of[c] = classSign
		case c == ';':
			of[c] = classEnd
		}
	}
	return of
}()
