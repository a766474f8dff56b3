package ssh

import (
	"errors"
	"io"

	"github.com/sallyport/sallyport/internal/mask"
)

// outlet is what a program's output goes through before the client gets it: detectors
// look into it across chunks, and may keep a little back.
type outlet interface {
	io.WriteCloser
	// Counts is what was masked.
	Counts() mask.Counts
}

// newOutlet masks what is written to it, and hands it on.
func newOutlet(masks *mask.Set, to io.Writer) outlet {
	if masks.Detects() {
		return refusingOutlet{}
	}
	return plainOutlet{to}
}

// plainOutlet is of a policy without detectors.
type plainOutlet struct{ io.Writer }

func (plainOutlet) Close() error        { return nil }
func (plainOutlet) Counts() mask.Counts { return nil }

// refusingOutlet lets nothing through that would have to be masked.
type refusingOutlet struct{}

var errUnmasked = errors.New("the policy masks output, which cannot be done here")

func (refusingOutlet) Write([]byte) (int, error) { return 0, errUnmasked }
func (refusingOutlet) Close() error              { return nil }
func (refusingOutlet) Counts() mask.Counts       { return nil }

// runRestricted is the proxy's own line editor.
func (s *sessionChannel) runRestricted(p program) bool {
	err := errors.New("this proxy has no restricted shell")
	s.result(p.operation, "", 0, err)
	s.tell(err.Error())
	return false
}
