package replay

import (
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/transcript"
)

// screen shows what a terminal was sent. On a terminal it draws, as far as
// transcript.Filter lets it; elsewhere it is lines of text.
type screen struct {
	printer *text
	raw     bool
	filter  transcript.Filter
	lines   Lines
	// drawn says that something was drawn that has not been left yet, ever that anything was.
	drawn, ever bool
}

// restore undoes what a recording may have left on: alternate screen, hidden cursor,
// colours, insert mode, origin mode, scroll region, no wrapping.
const restore = "\x1b[?1049l\x1b[?25h\x1b[0m\x1b[4l\x1b[?6l\x1b[r\x1b[?7h"

func (s *screen) event(t *record.Terminal) {
	if t.Kind == "resize" {
		s.leave()
		s.printer.printf("%sthe terminal has %d columns and %d rows\n", fact, t.Cols, t.Rows)
		return
	}
	if s.raw {
		s.drawn, s.ever = true, true
		s.printer.printf("%s", s.filter.Write(t.Data))
		return
	}
	s.print(s.lines.Add(t.Data))
}

func (s *screen) print(lines []string) {
	for _, text := range lines {
		s.printer.printf("%s%s\n", shown, line(text))
	}
}

// leave makes room for a line of the proxy's own.
func (s *screen) leave() {
	s.print(s.lines.Rest())
	if s.drawn {
		s.printer.printf("\x1b[0m\r\n")
		s.drawn = false
	}
}

// end gives the terminal back as it was.
func (s *screen) end() {
	s.leave()
	if s.ever {
		s.printer.printf("%s", restore)
	}
}
