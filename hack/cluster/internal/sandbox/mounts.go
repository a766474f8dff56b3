// Package sandbox makes the namespaces that a cluster lives in, and removes what
// is left of them. Network, mounts, processes, host name and IPC are the cluster's own.
package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
)

// isolateMounts gives the cluster its own /run, /var/lib, /var/log, /proc and
// /sys, so that every program inside keeps its ordinary paths and writes nothing
// to the host's. It runs as process 1 of the new namespaces.
func isolateMounts(c layout.Cluster, assets string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	// Held by descriptor: the mounts below may cover the paths.
	state, err := hold(c.Dir)
	if err != nil {
		return err
	}
	defer state.release()
	binaries, err := hold(assets)
	if err != nil {
		return err
	}
	defer binaries.release()

	for _, step := range []func() error{
		func() error { return mountNew("tmpfs", "/run", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755") },
		func() error { return state.bindChild("var-lib", "/var/lib") },
		func() error { return state.bindChild("var-log", "/var/log") },
		func() error { return state.bind(c.Dir) },
		func() error { return binaries.bind(layout.AssetsInside) },
		freshSys,
		func() error { return mountNew("proc", "/proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "") },
		func() error { return os.MkdirAll("/run/lock", 0o755) },
		pretendTunables,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	// The kubelet's mounts must reach containerd, and stop there.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("share mounts: %w", err)
	}
	return nil
}

// freshSys mounts the /sys of the new network namespace, with the host's cgroups in it.
func freshSys() error {
	const groups, keep = "/sys/fs/cgroup", "/run/cgroup"
	if err := os.MkdirAll(keep, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(groups, keep, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("keep %s: %w", groups, err)
	}
	if err := mountNew("sysfs", "/sys", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return err
	}
	if err := unix.Mount(keep, groups, "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("restore %s: %w", groups, err)
	}
	return nil
}

// pretendTunables covers the kernel settings that a kubelet would change for the
// whole machine with files that hold what it wants to see.
func pretendTunables() error {
	for path, value := range map[string]string{
		"/proc/sys/vm/overcommit_memory":      "1",
		"/proc/sys/vm/panic_on_oom":           "0",
		"/proc/sys/kernel/panic":              "10",
		"/proc/sys/kernel/panic_on_oops":      "1",
		"/proc/sys/kernel/keys/root_maxkeys":  "1000000",
		"/proc/sys/kernel/keys/root_maxbytes": "25000000",
	} {
		stand := filepath.Join("/run/sallyport/sysctl", filepath.Base(path))
		if err := os.MkdirAll(filepath.Dir(stand), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(stand, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if err := unix.Mount(stand, path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("cover %s: %w", path, err)
		}
	}
	return nil
}

func mountNew(kind, target string, flags uintptr, options string) error {
	if err := unix.Mount(kind, target, kind, flags, options); err != nil {
		return fmt.Errorf("mount %s on %s: %w", kind, target, err)
	}
	return nil
}

// held is a folder that can be bound elsewhere even when its path is covered.
type held int

func hold(path string) (held, error) {
	descriptor, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open %s: %w", path, err)
	}
	return held(descriptor), nil
}

func (h held) release() { _ = unix.Close(int(h)) }

func (h held) bind(target string) error { return h.bindChild(".", target) }

func (h held) bindChild(child, target string) error {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	source := filepath.Join("/proc/self/fd", strconv.Itoa(int(h)), child)
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind to %s: %w", target, err)
	}
	return nil
}
