// Package nstest gives tests what they would have to be root for: a process in user and
// mount namespaces of its own, and a small file system there.
package nstest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// ErrMissing says that this machine gives no such namespaces.
var ErrMissing = errors.New("no user and mount namespaces to be had (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces)")

// AllowMissing, set to 1 in the environment, skips tests that lack them.
const AllowMissing = "SALLYPORT_ALLOW_MISSING"

// folderEnv tells the process inside where its file system is to be.
const folderEnv = "SALLYPORT_TEST_INSIDE"

// exitMissing is how the process inside ends where it cannot mount.
const exitMissing = 77

// Apart is how to start a process with namespaces of its own, in which it is root.
func Apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
}

// Explain makes ErrMissing of what a start, or a mount inside, fails with for want of
// namespaces.
func Explain(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("%w: %w", ErrMissing, err)
	}
	return err
}

// Mount mounts a file system of so many bytes. It is for a process that is apart.
func Mount(folder string, bytes int) error {
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		return Explain(fmt.Errorf("mount a small file system: %w", err))
	}
	return nil
}

// Need ends a test that could not get what it needs: it fails, or is skipped with the
// reason where that is allowed and namespaces are what is missing.
func Need(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, ErrMissing) && os.Getenv(AllowMissing) == "1":
		t.Skipf("%s=1: %v", AllowMissing, err)
	default:
		t.Fatal(err)
	}
}

// Small runs a part of a test where folder is a file system of so many bytes: it has the
// test's binary run this test alone, apart, and there calls part. The test does nothing
// else before or after.
func Small(t *testing.T, bytes int, part func(t *testing.T, folder string)) {
	t.Helper()
	if folder := os.Getenv(folderEnv); folder != "" {
		if err := Mount(folder, bytes); err != nil {
			fmt.Fprintln(os.Stderr, err)
			if errors.Is(err, ErrMissing) {
				os.Exit(exitMissing)
			}
			t.Fatal(err)
		}
		part(t, folder)
		return
	}
	t.Parallel()
	inside := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	inside.Env = append(os.Environ(), folderEnv+"="+t.TempDir())
	inside.SysProcAttr = Apart()
	output, err := inside.CombinedOutput()
	if inside.ProcessState == nil { // it was not even started
		Need(t, Explain(err))
	} else if inside.ProcessState.ExitCode() == exitMissing {
		Need(t, fmt.Errorf("%w: %s", ErrMissing, output))
	}
	if err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}
