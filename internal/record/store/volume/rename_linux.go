package volume

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// rename renames within a folder, and fails with fs.ErrExist where a file would be replaced.
func rename(folder *os.Root, from, to string) error {
	directory, err := folder.Open(".")
	if err != nil {
		return err
	}
	fd := int(directory.Fd())
	err = unix.Renameat2(fd, from, fd, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		err = fmt.Errorf("the volume's file system has neither link(2) nor renameat2(2) with RENAME_NOREPLACE: keep recordings on another: %w", err)
	}
	return errors.Join(err, directory.Close())
}
