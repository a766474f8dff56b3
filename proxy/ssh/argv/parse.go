package argv

import (
	"errors"
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Limits of a line that is understood.
const (
	longestLine  = 64 << 10
	mostCommands = 256
)

// Line is what a command line would run.
type Line struct {
	// Commands are its simple commands in order, each by its words after quotes are
	// gone; empty where the line is opaque.
	Commands [][]string
	// Opaque is why only a shell could tell, and at which column; "" if the line is
	// understood.
	Opaque string

	// only is the words of a line with a single command, for which a leading ~ of the
	// login's own home is no obstacle: programs that move files are sent such paths.
	only []word
}

// word of a command. home says that the shell puts the login's home for its first byte.
type word struct {
	text string
	home bool
}

// Parse reads a command line as the POSIX shells do.
func Parse(line string) Line {
	homes, refusal := scan(line)
	if refusal != nil {
		return Line{Opaque: refusal.Error()}
	}
	commands, err := read(line)
	if err != nil {
		return Line{Opaque: err.Error()}
	}
	var l Line
	if len(commands) == 1 {
		l.only = commands[0]
	}
	if len(homes) > 0 {
		l.Opaque = at(line, homes[0], "~ stands for a folder that only the shell knows: write it out").Error()
		return l
	}
	for _, words := range commands {
		argv := make([]string, len(words))
		for i, w := range words {
			argv[i] = w.text
		}
		l.Commands = append(l.Commands, argv)
	}
	return l
}

// read lets the shell's grammar say what the commands are.
func read(line string) ([][]word, error) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX), syntax.KeepComments(true)).Parse(strings.NewReader(line), "")
	if err != nil {
		if fault, ok := errors.AsType[syntax.ParseError](err); ok {
			return nil, at(line, int(fault.Pos.Offset()), "the shell's grammar has no such line: "+fault.Text)
		}
		return nil, fmt.Errorf("the shell's grammar has no such line: %w", err)
	}
	r := reader{line: line}
	if len(file.Last) > 0 {
		return nil, at(line, int(file.Last[0].Pos().Offset()), "# begins a comment")
	}
	for _, s := range file.Stmts {
		if err := r.statement(s); err != nil {
			return nil, err
		}
	}
	if len(r.commands) == 0 {
		return nil, errors.New("column 1: it has no command")
	}
	return r.commands, nil
}

type reader struct {
	line     string
	commands [][]word
}

func (r *reader) statement(s *syntax.Stmt) error {
	switch {
	case len(s.Comments) > 0:
		return r.at(&s.Comments[0], "# begins a comment")
	case s.Negated:
		return r.at(s, "! is the shell's")
	case s.Background, s.Coprocess, s.Disown:
		return r.at(s, "& runs a command in the background")
	case len(s.Redirs) > 0:
		return r.at(s.Redirs[0], "a redirection reads or writes a file")
	}
	switch c := s.Cmd.(type) {
	case *syntax.CallExpr:
		return r.call(c)
	case *syntax.BinaryCmd:
		if c.Op != syntax.AndStmt && c.Op != syntax.OrStmt && c.Op != syntax.Pipe {
			return r.at(s, c.Op.String()+" is not understood")
		}
		if err := r.statement(c.X); err != nil {
			return err
		}
		return r.statement(c.Y)
	}
	return r.at(s, "only simple commands are understood")
}

func (r *reader) call(c *syntax.CallExpr) error {
	if len(c.Assigns) > 0 || len(c.Args) == 0 {
		return r.at(c, "an assignment changes what the commands do")
	}
	words := make([]word, len(c.Args))
	for i, w := range c.Args {
		var err error
		if words[i], err = r.word(w); err != nil {
			return err
		}
	}
	if first, bare := c.Args[0].Lit(), words[0].text; first == bare && reserved[bare] {
		return r.at(c, bare+" is the shell's own word")
	}
	if lit, ok := c.Args[0].Parts[0].(*syntax.Lit); ok && strings.Contains(lit.Value, "=") {
		return r.at(c, "an assignment changes what the commands do")
	}
	r.commands = append(r.commands, words)
	return nil
}

// reserved words of some shell of the family that the grammar of POSIX does not have.
var reserved = map[string]bool{
	"function": true, "select": true, "coproc": true, "foreach": true, "end": true,
	"repeat": true, "nocorrect": true, "noglob": true, "in": true, "always": true, "-": true,
}

// word is the text of a word once its quotes are gone.
func (r *reader) word(w *syntax.Word) (word, error) {
	var text strings.Builder
	home := false
	for i, part := range w.Parts {
		switch p := part.(type) {
		case *syntax.Lit:
			home = home || i == 0 && strings.HasPrefix(p.Value, "~")
			unescape(&text, p.Value, "")
		case *syntax.SglQuoted:
			if p.Dollar {
				return word{}, r.at(p, "$' is expanded by the shell")
			}
			text.WriteString(p.Value)
		case *syntax.DblQuoted:
			if p.Dollar {
				return word{}, r.at(p, `$" is expanded by the shell`)
			}
			for _, inner := range p.Parts {
				lit, ok := inner.(*syntax.Lit)
				if !ok {
					return word{}, r.at(inner, "it is expanded by the shell")
				}
				unescape(&text, lit.Value, "$`\"\\")
			}
		default:
			return word{}, r.at(part, "it is expanded by the shell")
		}
	}
	return word{text.String(), home}, nil
}

// unescape appends text without the backslashes that quote: those before any byte, or
// before one of only, if that is not empty (POSIX.1-2024, 2.2.1 and 2.2.3).
func unescape(to *strings.Builder, text, only string) {
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) && (only == "" || strings.IndexByte(only, text[i+1]) >= 0) {
			i++
		}
		to.WriteByte(text[i])
	}
}

func (r *reader) at(n syntax.Node, why string) error {
	return at(r.line, int(n.Pos().Offset()), why)
}

// at is a refusal that says where: the column counts bytes from 1.
func at(line string, offset int, why string) error {
	offset = min(offset, len(line))
	before := line[:offset]
	column := offset - strings.LastIndexByte(before, '\n')
	if n := strings.Count(before, "\n"); n > 0 {
		return fmt.Errorf("line %d, column %d: %s", n+1, column, why)
	}
	return fmt.Errorf("column %d: %s", column, why)
}
