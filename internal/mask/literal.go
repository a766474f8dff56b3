package mask

import (
	"bytes"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// shortestLiteral that passes over enough text to be worth looking for.
const shortestLiteral = 3

// requiredLiterals returns literals one of which is in every match of tree; none if
// there is no such set of literals that are long enough.
func requiredLiterals(tree *syntax.Regexp) []required {
	switch tree.Op {
	case syntax.OpLiteral:
		return literalOf(tree)
	case syntax.OpCapture, syntax.OpPlus:
		return requiredLiterals(tree.Sub[0])
	case syntax.OpRepeat:
		if tree.Min > 0 {
			return requiredLiterals(tree.Sub[0])
		}
	case syntax.OpConcat:
		var best []required
		for _, sub := range tree.Sub {
			if literals := requiredLiterals(sub); shortest(literals) > shortest(best) {
				best = literals
			}
		}
		return best
	case syntax.OpAlternate:
		var all []required
		for _, sub := range tree.Sub {
			literals := requiredLiterals(sub)
			if len(literals) == 0 {
				return nil
			}
			all = append(all, literals...)
		}
		return all
	default:
	}
	return nil
}

// literalOf is the literal itself; where it folds case, its longest piece of ASCII.
func literalOf(tree *syntax.Regexp) []required {
	fold := tree.Flags&syntax.FoldCase != 0
	longest := string(tree.Rune)
	if fold {
		pieces := strings.FieldsFunc(longest, func(r rune) bool { return r >= utf8.RuneSelf })
		longest = ""
		for _, piece := range pieces {
			if len(piece) > len(longest) {
				longest = strings.ToLower(piece)
			}
		}
	}
	if len(longest) < shortestLiteral {
		return nil
	}
	return []required{{bytes: []byte(longest), fold: fold}}
}

func shortest(literals []required) int {
	n := 0
	for i, l := range literals {
		if i == 0 || len(l.bytes) < n {
			n = len(l.bytes)
		}
	}
	return n
}

// required is a literal that every match has: in lower case, if it folds case.
type required struct {
	bytes []byte
	fold  bool
}

// in says whether the literal is in text.
func (l required) in(text []byte) bool {
	if !l.fold {
		return bytes.Contains(text, l.bytes)
	}
	for i := range text {
		if l.begins(text[i:]) {
			return true
		}
	}
	return false
}

// begins says whether text begins with the literal in whatever case. Of ASCII's letters
// s and k have a third one: ſ (U+017F) and the Kelvin sign (U+212A).
func (l required) begins(text []byte) bool {
	for _, c := range l.bytes {
		switch {
		case len(text) == 0:
			return false
		case text[0] == c, isUpper(text[0]) && text[0]+'a'-'A' == c:
			text = text[1:]
		case c == 's' && bytes.HasPrefix(text, []byte("ſ")):
			text = text[len("ſ"):]
		case c == 'k' && bytes.HasPrefix(text, []byte("\u212a")):
			text = text[len("\u212a"):]
		default:
			return false
		}
	}
	return true
}
