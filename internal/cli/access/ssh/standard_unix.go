//go:build unix

package ssh

import (
	"os"
	"syscall"
)

// interruptible is a pipe or socket by another name, which the runtime polls, so that
// Close ends a Read.
func interruptible(file *os.File) *os.File {
	info, err := file.Stat()
	if err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return file
	}
	descriptor := file.Fd()
	if syscall.SetNonblock(int(descriptor), true) != nil {
		return file
	}
	return os.NewFile(descriptor, file.Name())
}
