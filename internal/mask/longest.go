package mask

import (
	"regexp/syntax"
	"unicode/utf8"
)

// farthestMatch is how far the matches of a pattern are followed across the pieces of a
// stream, where the pattern itself sets no bound.
const farthestMatch = 4096

// longestMatch of a simplified expression in bytes; 0 if it is above farthestMatch.
func longestMatch(tree *syntax.Regexp) int {
	if n := matchBytes(tree); n <= farthestMatch {
		return n
	}
	return 0
}

func matchBytes(tree *syntax.Regexp) int {
	switch tree.Op {
	case syntax.OpLiteral:
		return len(tree.Rune) * utf8.UTFMax
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return utf8.UTFMax
	case syntax.OpStar, syntax.OpPlus:
		return farthestMatch + 1
	case syntax.OpRepeat:
		if tree.Max < 0 {
			return farthestMatch + 1
		}
		return min(farthestMatch+1, max(1, tree.Max)*matchBytes(tree.Sub[0]))
	case syntax.OpCapture, syntax.OpQuest:
		return matchBytes(tree.Sub[0])
	case syntax.OpConcat:
		sum := 0
		for _, sub := range tree.Sub {
			sum = min(farthestMatch+1, sum+matchBytes(sub))
		}
		return sum
	case syntax.OpAlternate:
		most := 0
		for _, sub := range tree.Sub {
			most = max(most, matchBytes(sub))
		}
		return most
	default:
		return 0
	}
}
