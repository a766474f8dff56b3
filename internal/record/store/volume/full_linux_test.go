package volume_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/internal/nstest"
	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/record/store/volume"
)

// TestREC1_AFullVolumeIsACleanError runs itself in a mount namespace of its own, where
// nobody needs to be root to have a file system of 1 MiB.
func TestREC1_AFullVolumeIsACleanError(t *testing.T) {
	nstest.Small(t, 1<<20, fill)
}

func fill(t *testing.T, folder string) {
	t.Helper()
	v, err := volume.Open(folder, volume.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Put(t.Context(), "one/00000001.seg", make([]byte, 512<<10)); err != nil {
		t.Fatal(err)
	}
	err = v.Put(t.Context(), "one/00000002.seg", make([]byte, 768<<10))
	if !errors.Is(err, store.ErrFull) || !errors.Is(err, unix.ENOSPC) {
		t.Errorf("%v", err)
	}
	if entries, err := os.ReadDir(filepath.Join(folder, "one")); err != nil || len(entries) != 1 {
		t.Errorf("half an object is left: %v, %v", entries, err)
	}
	if err := os.Remove(filepath.Join(folder, "one/00000001.seg")); err != nil {
		t.Fatal(err)
	}
	if err := v.Put(t.Context(), "one/00000002.seg", make([]byte, 768<<10)); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
}
