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
	out    io.Writer
	moving bool
	last   string
	turn   int
}

// NewProgress writes to out, which moves if it is a terminal.
func NewProgress(out io.Writer) *Progress {
	file, ok := out.(*os.File)
	return &Progress{out: out, moving: ok && term.IsTerminal(int(file.Fd()))}
}

const eraseLine = "\r\x1b[K"

// Say shows what is waited for now.
func (p *Progress) Say(format string, args ...any) {
	line := record.PrintableLine(fmt.Sprintf(format, args...))
	if p.moving {
		p.turn++
		fmt.Fprintf(p.out, "%s%c %s", eraseLine, `|/-\`[p.turn%4], line)
	} else if line != p.last {
		fmt.Fprintln(p.out, line)
	}
	p.last = line
}

// Done ends the line, so that others may write.
func (p *Progress) Done() {
	if p.moving && p.last != "" {
		fmt.Fprint(p.out, eraseLine)
	}
	p.last = ""
}
