package terminal

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/sallyport/sallyport/internal/record"
)

// Progress is one line that says what is being waited for: it moves on a terminal,
// and is printed once per change elsewhere.
type Progress struct {
	out io.Writer
	// terminal that out is, or nil.
	terminal *os.File
	last     string
	turn     int
}

// NewProgress writes to out, which moves if it is a terminal.
func NewProgress(out io.Writer) *Progress {
	p := &Progress{out: out}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.terminal = file
	}
	return p
}

const eraseLine = "\r\x1b[K"

// Say shows what is waited for now.
func (p *Progress) Say(format string, args ...any) {
	line := record.PrintableLine(fmt.Sprintf(format, args...))
	if p.terminal != nil {
		p.turn++
		fmt.Fprintf(p.out, "%s%c %s", eraseLine, `|/-\`[p.turn%4], p.fitting(line))
	} else if line != p.last {
		fmt.Fprintln(p.out, line)
	}
	p.last = line
}

// Tick shows how far work has come, to those who watch: on a terminal alone.
func (p *Progress) Tick(format string, args ...any) {
	if p.terminal != nil {
		p.Say(format, args...)
	}
}

// Done ends the line, so that others may write.
func (p *Progress) Done() {
	if p.terminal != nil && p.last != "" {
		fmt.Fprint(p.out, eraseLine)
	}
	p.last = ""
}

// fitting cuts a line to the terminal's width: what wraps cannot be erased.
func (p *Progress) fitting(line string) string {
	width, _, err := term.GetSize(int(p.terminal.Fd()))
	runes := []rune(line)
	if err != nil || len(runes) <= width-3 || width < 4 {
		return line
	}
	return string(runes[:width-4]) + "…"
}
