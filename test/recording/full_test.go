package recording

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/record/store"
)

// apart is a process in a mount namespace of its own, where nobody need be root.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
}

func mountSmall(s setup) error {
	if err := unix.Mount("tmpfs", s.Parent, "tmpfs", 0, fmt.Sprintf("size=%d", s.MountBytes)); err != nil {
		return fmt.Errorf("mount a small file system: %w", err)
	}
	for _, made := range []string{s.Directory, s.Spool} {
		if err := os.Mkdir(made, 0o750); err != nil {
			return err
		}
	}
	return nil
}

// missing fails, or skips where that is allowed, a test that this machine cannot run.
func missing(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("SALLYPORT_ALLOW_MISSING") == "1" {
		t.Skip("this kernel gives no user and mount namespaces: ", err)
	}
	t.Fatalf("%v (a full volume needs user namespaces: sysctl kernel.unprivileged_userns_clone)", err)
}

// TestREC1_AFullVolumeEndsTheSession fills the volume, or the spool, with what the session
// itself records.
func TestREC1_AFullVolumeEndsTheSession(t *testing.T) {
	t.Parallel()
	for _, durability := range []v1alpha1.Durability{v1alpha1.DurabilityProcess, v1alpha1.DurabilityDisk} {
		for _, bestEffort := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/BestEffort=%t", durability, bestEffort), func(t *testing.T) {
				t.Parallel()
				s := newSetup(t, grant.Recording{Durability: durability, BestEffort: bestEffort})
				s.MountBytes = 192 << 10
				p := start(t, s)
				_, last, err := p.work(t, 150)
				if last > bound {
					t.Errorf("the client waited for %v", last)
				}
				if bestEffort {
					if err != nil {
						t.Error("the session ended:", err)
					}
					p.await(t, bound, "nobody was told", func(line told) bool { return line.Lost != "" })
					return
				}
				if err == nil {
					t.Fatal("the volume was never full")
				}
				p.await(t, bound, "no session ended", func(line told) bool { return line.Ended != "" })
				// The mount is the process's own: look through it while it lives.
				inside := filepath.Join(fmt.Sprintf("/proc/%d/root", p.process.Process.Pid), s.Directory)
				p.nothingRanUnrecorded(t, store.FS(os.DirFS(inside)))
			})
		}
	}
}
