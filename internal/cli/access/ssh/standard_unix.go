//go:build unix

package ssh

import (
	"os"
	"syscall"
)

// interruptible is a pipe or socket by another descriptor, which the runtime polls, so
// that Close ends a Read. The first one stays open until the process ends.
func interruptible(file *os.File) *os.File {
	info, err := file.Stat()
	if err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return file
	}
	descriptor, err := syscall.Dup(int(file.Fd()))
	if err != nil {
		return file
	}
	syscall.CloseOnExec(descriptor)
	// Without this NewFile would not poll it; where it fails, Close waits for the far end.
	_ = syscall.SetNonblock(descriptor, true)
	return os.NewFile(uintptr(descriptor), file.Name())
}
