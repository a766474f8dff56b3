package mask

import (
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
	}
	return nil
}

// literalOf is the literal itself. Where it folds case, it is its longest piece in which
// each letter has two cases only: s and k have a third beyond ASCII.
func literalOf(tree *syntax.Regexp) []required {
	if tree.Flags&syntax.FoldCase == 0 {
		if text := string(tree.Rune); len(text) >= shortestLiteral {
			return []required{{bytes: []byte(text)}}
		}
		return nil
	}
	longest := ""
	for _, piece := range strings.FieldsFunc(strings.ToLower(string(tree.Rune)), func(r rune) bool {
		return r == 's' || r == 'k' || r >= utf8.RuneSelf
	}) {
		if len(piece) > len(longest) {
			longest = piece
		}
	}
	if len(longest) < shortestLiteral {
		return nil
	}
	return []required{{bytes: []byte(longest), fold: true}}
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
