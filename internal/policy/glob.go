package policy

import (
	"slices"
	"strings"
)

// A glob is a pattern of characters: a byte each, or anyBytes for a `*`.
type glob []int16

const anyBytes int16 = -1

// newGlob reads a pattern in which `*` stands for any characters; escapes says that
// `\*` stands for an asterisk.
func newGlob(pattern string, escapes bool) glob {
	g := make(glob, 0, len(pattern))
	for i := 0; i < len(pattern); i++ {
		switch {
		case escapes && pattern[i] == '\\' && i+1 < len(pattern) && pattern[i+1] == '*':
			i++
			g = append(g, '*')
		case pattern[i] == '*':
			g = append(g, anyBytes)
		default:
			g = append(g, int16(pattern[i]))
		}
	}
	return g
}

// matches says whether a text is one of the glob's.
func (g glob) matches(text string) bool {
	return g.walk(len(text), func(i int) int16 { return int16(text[i]) })
}

// covers says whether all texts of another glob are provably this one's, too: what is
// open there must be open here.
func (g glob) covers(other glob) bool {
	return g.walk(len(other), func(i int) int16 { return other[i] })
}

// walk matches n characters, going back to the last `*` alone: time is at most the
// product of both lengths.
func (g glob) walk(n int, at func(int) int16) bool {
	p, star, from := 0, -1, 0
	for i := 0; i < n; {
		switch {
		case p < len(g) && g[p] == anyBytes:
			star, from = p, i
			p++
		case p < len(g) && g[p] == at(i):
			p++
			i++
		case star >= 0:
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	for p < len(g) && g[p] == anyBytes {
		p++
	}
	return p == len(g)
}

func (g glob) open() bool {
	return slices.Contains(g, anyBytes)
}

func (g glob) starts(with int16) bool { return len(g) > 0 && g[0] == with }

// climbs says whether a word has `..` for a name of a path.
func climbs(word string) bool {
	for name := range strings.SplitSeq(word, "/") {
		if name == ".." {
			return true
		}
	}
	return false
}
