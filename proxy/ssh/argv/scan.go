package argv

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// scan refuses, before any grammar is asked, what is special in some shell and not
// quoted, and what would not show as what it is. So the grammar never meets anything
// that nests. homes are the offsets of words that begin with a ~ of one's own home.
func scan(line string) (homes []int, refusal error) {
	switch {
	case len(line) > longestLine:
		return nil, fmt.Errorf("column %d: it is longer than %d bytes", longestLine+1, longestLine)
	case strings.HasPrefix(line, "-") || strings.HasPrefix(line, "+"):
		return nil, at(line, 0, "the shell takes a line that begins so for options of its own")
	}
	s := scanner{line: line, wordStart: true, commandStart: true}
	for s.i < len(line) {
		if err := s.next(); err != nil {
			return nil, err
		}
	}
	if s.quote != 0 {
		return nil, at(line, s.opened, "a quote is not closed")
	}
	return s.homes, nil
}

type scanner struct {
	line      string
	i         int
	quote     byte
	opened    int
	wordStart bool
	// commandStart says that no word of the command has begun.
	commandStart bool
	operators    int
	homes        []int
}

// next looks at one character.
func (s *scanner) next() error {
	c, size := utf8.DecodeRuneInString(s.line[s.i:])
	if c == utf8.RuneError && size == 1 {
		return at(s.line, s.i, "it is not UTF-8")
	}
	if c != '\n' && c != '\t' && (unicode.IsControl(c) || unicode.In(c, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Noncharacter_Code_Point)) {
		return at(s.line, s.i, fmt.Sprintf("the character %U would not show", c))
	}
	if s.quote == 0 && c >= utf8.RuneSelf && unicode.IsSpace(c) {
		return at(s.line, s.i, fmt.Sprintf("the blank %U is one to some shells and not to others: quote it", c))
	}
	var err error
	switch s.quote {
	case '\'':
		if c == '\'' {
			s.quote = 0
		}
	case '"':
		err = s.inDouble(byte(min(c, utf8.RuneSelf)))
	default:
		err = s.bare(byte(min(c, utf8.RuneSelf)))
	}
	s.i += size
	return err
}

func (s *scanner) inDouble(c byte) error {
	switch c {
	case '"':
		s.quote = 0
	case '$', '`':
		return at(s.line, s.i, string(c)+" is expanded by the shell: quote it with '")
	case '\\':
		return s.escape()
	}
	return nil
}

// escape passes over a backslash if what it quotes is ASCII; next does the rest.
func (s *scanner) escape() error {
	if s.i+1 == len(s.line) {
		return at(s.line, s.i, `\ has nothing to quote`)
	}
	if s.line[s.i+1] == '\n' {
		return at(s.line, s.i, `\ hides the end of a line: write it as one`)
	}
	if c := s.line[s.i+1]; c >= ' ' && c < 0x7f {
		s.i++
	}
	return nil
}

// bare looks at a character outside of quotes.
func (s *scanner) bare(c byte) error {
	start := s.wordStart
	s.wordStart = false
	if s.commandStart && c != ' ' && c != '\t' {
		s.commandStart = false
		if keywords[s.word()] {
			return at(s.line, s.i, "only simple commands are understood")
		}
	}
	switch c {
	case ' ', '\t':
		s.wordStart = true
	case '\n', ';', '|', '&':
		return s.operator()
	case '\'', '"':
		s.quote, s.opened = c, s.i
	case '\\':
		return s.escape()
	case '$', '`':
		return at(s.line, s.i, string(c)+" is expanded by the shell: quote it with '")
	case '*', '?', '[':
		return at(s.line, s.i, string(c)+" is a pattern of file names: quote it, or write them out")
	case '{', '}', '(', ')':
		return at(s.line, s.i, string(c)+" is the shell's: quote it")
	case '<', '>':
		return at(s.line, s.i, "a redirection reads or writes a file")
	case '!', '^':
		return at(s.line, s.i, string(c)+" is the shell's in some shells: quote it")
	case '#':
		if start {
			return at(s.line, s.i, "# begins a comment")
		}
	case '=':
		if start {
			return at(s.line, s.i, "= begins what zsh expands: quote it")
		}
	case '~':
		return s.tilde(start)
	}
	return nil
}

// word is what stands here up to a blank or an operator.
func (s *scanner) word() string {
	rest := s.line[s.i:]
	if end := strings.IndexAny(rest, " \t\n;|&"); end >= 0 {
		return rest[:end]
	}
	return rest
}

// operator is ; & | or a newline, or the first of two.
func (s *scanner) operator() error {
	s.wordStart, s.commandStart = true, true
	if s.operators++; s.operators > 2*mostCommands {
		return at(s.line, s.i, fmt.Sprintf("it has more than %d commands", mostCommands))
	}
	if s.line[s.i] == '&' {
		if !strings.HasPrefix(s.line[s.i:], "&&") {
			return at(s.line, s.i, "& runs a command in the background: quote it")
		}
		s.i++
	}
	return nil
}

// tilde is expanded at the beginning of a word, after = and : in what looks like an
// assignment, and is a pattern to zsh where it is told so.
func (s *scanner) tilde(start bool) error {
	rest := s.line[s.i+1:]
	if start && (rest == "" || strings.IndexByte("/ \t\n;|&", rest[0]) >= 0) {
		s.homes = append(s.homes, s.i)
		return nil
	}
	return at(s.line, s.i, "~ is expanded by the shell: quote it")
}
