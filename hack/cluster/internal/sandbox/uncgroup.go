package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
	"github.com/sallyport/sallyport/hack/cluster/internal/process"
)

// killMembers ends every process in the cluster's groups. Process 1 takes its
// children with it; this is for a cluster whose record of it was lost.
func killMembers(ctx context.Context, c layout.Cluster) error {
	roots, err := hierarchies()
	if err != nil {
		return err
	}
	for _, root := range roots {
		err := filepath.WalkDir(filepath.Join(root, c.Cgroup()), func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || entry.Name() != "cgroup.procs" {
				return err
			}
			return killListed(ctx, path, c)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func killListed(ctx context.Context, file string, c layout.Cluster) error {
	listed, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, word := range strings.Fields(string(listed)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		// Asked again with the process held: the number may be a stranger's by then.
		meant := func() bool {
			groups, err := os.ReadFile(filepath.Join("/proc", word, "cgroup"))
			return err == nil && strings.Contains(string(groups), "/"+c.Cgroup()+"/")
		}
		if err := process.KillIf(ctx, pid, meant); err != nil {
			return err
		}
	}
	return nil
}

// removeCgroups removes the cluster's groups. Its processes are dead by then, but
// the kernel may still be counting them out.
func removeCgroups(ctx context.Context, c layout.Cluster) error {
	roots, err := hierarchies()
	if err != nil {
		return err
	}
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for _, root := range roots {
		group := filepath.Join(root, c.Cgroup())
		for {
			err := removeGroup(group)
			if err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("remove cgroup: %w", err)
			case <-ticker.C:
			}
		}
	}
	return nil
}

// removeGroup removes a group with its children, children first. A group can be
// removed with rmdir alone: the files in it are the kernel's.
func removeGroup(path string) error {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeGroup(filepath.Join(path, entry.Name())); err != nil {
				return err
			}
		}
	}
	if err := unix.Rmdir(path); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
