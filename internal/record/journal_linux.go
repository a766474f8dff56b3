package record

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Filesystems whose mappings, or whose promises about blocks, are not to be relied on:
// there a journal is written to by write(2). Network filesystems show a mapping's bytes
// to others late, or never.
var unmapped = []int64{
	unix.NFS_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC,
	unix.CIFS_SUPER_MAGIC, unix.V9FS_MAGIC, unix.CEPH_SUPER_MAGIC,
}

// mapFile maps room for capacity bytes of a file that is still empty;
// errors.ErrUnsupported where that is not to be.
func mapFile(file *os.File, capacity int) ([]byte, error) {
	var system unix.Statfs_t
	if err := unix.Fstatfs(int(file.Fd()), &system); err != nil {
		return nil, fmt.Errorf("%w: statfs: %w", errors.ErrUnsupported, err)
	}
	if slices.Contains(unmapped, int64(system.Type)) {
		return nil, errors.ErrUnsupported
	}
	err := unix.Fallocate(int(file.Fd()), 0, 0, 1)
	if err == nil {
		var data []byte
		data, err = unix.Mmap(int(file.Fd()), 0, capacity, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err == nil {
			return data, nil
		}
	}
	for _, refused := range []error{unix.EOPNOTSUPP, unix.ENOSYS, unix.EINVAL, unix.ENODEV, unix.EACCES, unix.EPERM} {
		if errors.Is(err, refused) {
			return nil, fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
		}
	}
	return nil, fmt.Errorf("make room for a journal: %w", err)
}

// allocate gives the file blocks up to an offset, and the mapping its pages.
func allocate(file *os.File, data []byte, from, to int) error {
	for {
		err := unix.Fallocate(int(file.Fd()), 0, int64(from), int64(to-from))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("make room for a journal: %w", err)
		}
		break
	}
	// One call instead of a fault for each page. A kernel before 5.14 does not have it.
	_ = unix.Madvise(data[from:to], unix.MADV_POPULATE_WRITE)
	return nil
}

func unmap(data []byte) error { return unix.Munmap(data) }

func syncData(file *os.File) error { return unix.Fdatasync(int(file.Fd())) }

// exchange swaps two names of one folder, in one step; false where the filesystem cannot.
func exchange(a, b string) bool {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE) == nil
}
