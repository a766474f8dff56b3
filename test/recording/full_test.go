package recording

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/nstest"
	"github.com/sallyport/sallyport/internal/record/store"
)

// mountSmall is where the proxy writes, in a process that is apart.
func mountSmall(s setup) error {
	if err := nstest.Mount(s.Parent, s.MountBytes); err != nil {
		if errors.Is(err, nstest.ErrMissing) {
			tell(told{Missing: err.Error()})
		}
		return err
	}
	for _, made := range []string{s.Directory, s.Spool} {
		if err := os.Mkdir(made, 0o750); err != nil {
			return err
		}
	}
	return nil
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
