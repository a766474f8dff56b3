package mask

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

// longestPattern of a policy, in bytes, and in instructions of the program that it is
// compiled to: each byte that the pattern reads may cost a step of each of them.
const (
	longestPattern = 512
	longestProgram = 1000
)

// pattern is a policy's own expression. Text that has none of its literals has no match.
type pattern struct {
	detector   index
	expression *regexp.Regexp
	literals   []required
	// longest match in bytes; 0 where there is no bound that is small.
	longest int
}

func compilePattern(expression string) (pattern, error) {
	switch {
	case expression == "":
		return pattern{}, errors.New("it is empty: write an RE2 expression")
	case len(expression) > longestPattern:
		return pattern{}, fmt.Errorf("it has %d bytes, and %d are the most: write a shorter one", len(expression), longestPattern)
	}
	compiled, err := regexp.Compile(expression)
	if err != nil {
		return pattern{}, fmt.Errorf("it is not RE2: %w", err)
	}
	tree, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return pattern{}, fmt.Errorf("it is not RE2: %w", err)
	}
	if anchored(tree) {
		return pattern{}, errors.New(`it has ^, $, \A or \z, and a detector looks inside text: remove them, or use \b`)
	}
	tree = tree.Simplify()
	program, err := syntax.Compile(tree)
	if err != nil {
		return pattern{}, fmt.Errorf("it is not RE2: %w", err)
	}
	if n := len(program.Inst); n > longestProgram {
		return pattern{}, fmt.Errorf("its repetitions come to %d steps, and %d are the most: lower their counts, or use + and *", n, longestProgram)
	}
	literals := requiredLiterals(tree)
	if len(literals) == 0 {
		return pattern{}, fmt.Errorf("no literal of %d bytes is in every match, by which other text could be passed over: "+
			"add what stands before or in the value, such as \"token=\"", shortestLiteral)
	}
	return pattern{expression: compiled, literals: literals, longest: longestMatch(tree)}, nil
}

func anchored(tree *syntax.Regexp) bool {
	switch tree.Op {
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText:
		return true
	default:
		return slices.ContainsFunc(tree.Sub, anchored)
	}
}

// patternEffort is how many times over, on average, a pattern may read a text. Looking
// for all matches of some patterns takes time quadratic in the text.
const patternEffort = 16

// match appends the pattern's matches. When hostile text uses up the effort that is
// bounded, all that is left of it is taken for a match.
func (p *pattern) match(text []byte, found []Span) []Span {
	if !slices.ContainsFunc(p.literals, func(l required) bool { return l.in(text) }) {
		return found
	}
	reader := &runes{left: patternEffort*len(text) + longestPattern}
	for begin := 0; begin < len(text); {
		reader.text = text[begin:]
		match := p.expression.FindReaderIndex(reader)
		if reader.left <= 0 {
			return append(found, Span{begin, len(text), int(p.detector) - 1})
		}
		if match == nil {
			break
		}
		found = append(found, Span{begin + match[0], begin + match[1], int(p.detector) - 1})
		begin += match[1]
	}
	return found
}

// runes reads text rune by rune, and no more than left bytes over all texts.
type runes struct {
	text []byte
	left int
}

func (r *runes) ReadRune() (rune, int, error) {
	if len(r.text) == 0 || r.left <= 0 {
		return 0, 0, errEndOfText
	}
	c, size := utf8.DecodeRune(r.text)
	r.text = r.text[size:]
	r.left -= size
	return c, size, nil
}

var errEndOfText = errors.New("end of text")
