package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
)

// MakeCgroups makes the cluster's group in every hierarchy: one on a machine with
// cgroup v2, one for each controller on a machine with v1.
func MakeCgroups(c layout.Cluster) error {
	roots, err := hierarchies()
	if err != nil {
		return err
	}
	for _, root := range roots {
		if err := enableControllers(root); err != nil {
			return err
		}
		parent := root
		for _, name := range []string{c.Cgroup(), systemGroup} {
			group := filepath.Join(parent, name)
			if err := os.MkdirAll(group, 0o755); err != nil {
				return err
			}
			if err := inheritCpuset(parent, group); err != nil {
				return err
			}
			parent = group
		}
	}
	return nil
}

// systemGroup holds the cluster's own processes, beside the kubelet's pods. In
// their caller's group they would end with its session, or by its limits.
const systemGroup = "system"

// enterCgroups moves a process, with all children that it will have.
func enterCgroups(c layout.Cluster, pid int) error {
	roots, err := hierarchies()
	if err != nil {
		return err
	}
	for _, root := range roots {
		file := filepath.Join(root, c.Cgroup(), systemGroup, "cgroup.procs")
		if err := os.WriteFile(file, []byte(strconv.Itoa(pid)), 0o644); err != nil {
			return fmt.Errorf("move process %d: %w", pid, err)
		}
	}
	return nil
}

// hierarchies returns where cgroups are mounted.
func hierarchies() ([]string, error) {
	file, err := os.Open("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	var roots []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) > 2 && (fields[2] == "cgroup" || fields[2] == "cgroup2") {
			roots = append(roots, fields[1])
		}
	}
	return roots, lines.Err()
}

// enableControllers hands the controllers that the kubelet uses down to the
// children of a v2 hierarchy.
func enableControllers(root string) error {
	available, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, controller := range strings.Fields(string(available)) {
		if !slices.Contains([]string{"cpu", "cpuset", "hugetlb", "io", "memory", "pids"}, controller) {
			continue
		}
		err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
		if err != nil {
			return fmt.Errorf("hand the %s controller down (cgroup v2 refuses where processes sit in %s itself): %w", controller, root, err)
		}
	}
	return nil
}

// inheritCpuset fills what a new group of the v1 cpuset controller leaves empty,
// and without which no process can enter it.
func inheritCpuset(root, group string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(group, name), value, 0o644); err != nil {
			return err
		}
	}
	return nil
}
