package ssh

import (
	"errors"
	"io"
	"os"
)

// pipe is standard input and output as one connection.
type pipe struct {
	io.Reader
	io.Writer
}

// standard makes one that Close ends: a Read that is under way, too, where the system
// can do that.
func standard(in io.Reader, out io.Writer) io.ReadWriteCloser {
	if file, ok := in.(*os.File); ok {
		in = interruptible(file)
	}
	if file, ok := out.(*os.File); ok {
		out = interruptible(file)
	}
	return pipe{in, out}
}

// Close closes both ends.
func (p pipe) Close() error {
	var failed []error
	for _, end := range []any{p.Reader, p.Writer} {
		if closer, ok := end.(io.Closer); ok {
			failed = append(failed, closer.Close())
		}
	}
	return errors.Join(failed...)
}
