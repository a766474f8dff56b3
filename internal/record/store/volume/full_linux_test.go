package volume_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/record/store/volume"
)

const insideEnv = "SALLYPORT_FULL_VOLUME"

// TestREC1_AFullVolumeIsACleanError runs itself in a mount namespace of its own, where
// nobody needs to be root to have a file system of 1 MiB.
func TestREC1_AFullVolumeIsACleanError(t *testing.T) {
	if folder := os.Getenv(insideEnv); folder != "" {
		fill(t, folder)
		return
	}
	t.Parallel()
	inside := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	inside.Env = append(os.Environ(), insideEnv+"="+t.TempDir())
	inside.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
	output, err := inside.CombinedOutput()
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC) || strings.Contains(string(output), "mount: operation not permitted") {
		if os.Getenv("SALLYPORT_ALLOW_MISSING") == "1" {
			t.Skipf("this kernel gives no user namespaces: %v %s", err, output)
		}
		t.Fatalf("this test needs a user namespace (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces): %v %s", err, output)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

func fill(t *testing.T, folder string) {
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(fmt.Errorf("mount: %w", err))
	}
	t.Cleanup(func() { _ = unix.Unmount(folder, unix.MNT_DETACH) })
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
