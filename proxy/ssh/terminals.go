package ssh

import (
	"io"
	"time"

	"github.com/sallyport/sallyport/internal/mask"
	"github.com/sallyport/sallyport/proxy/ssh/terminal"
)

// outlet is what a program's output goes through before the client gets it: detectors
// look into it across chunks, and may keep a little back.
type outlet interface {
	io.WriteCloser
	// Typed tells what the client sends, which the program's terminal will repeat.
	Typed([]byte)
	// Counts is what was masked.
	Counts() mask.Counts
}

// newOutlet masks what is written to it, and hands it on.
func (c *connection) newOutlet(masks *mask.Set, to io.Writer) outlet {
	if masks.Detects() {
		return terminal.NewOutput(masks, to, terminal.Options{
			AfterFunc: func(d time.Duration, f func()) terminal.Timer { return time.AfterFunc(d, c.caught(f)) },
		})
	}
	return plainOutlet{to}
}

// plainOutlet is of a policy without detectors.
type plainOutlet struct{ io.Writer }

func (plainOutlet) Close() error        { return nil }
func (plainOutlet) Typed([]byte)        {}
func (plainOutlet) Counts() mask.Counts { return nil }
