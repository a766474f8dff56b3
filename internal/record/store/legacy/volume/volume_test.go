package volume_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/record/store/legacy/volume"
)

func open(t *testing.T) (*volume.Volume, string) {
	t.Helper()
	directory := t.TempDir()
	v, err := volume.Open(directory)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v, directory
}

func TestARecordingIsReadWhileItGrows(t *testing.T) {
	t.Parallel()
	v, directory := open(t)
	out, err := v.Create(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	in, err := v.Open(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(in); err != nil || string(data) != "hello" {
		t.Errorf("%q, %v", data, err)
	}
	if err := errors.Join(in.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(directory, "one.rec"))
	if err != nil || info.Mode().Perm()&0o137 != 0 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	list, err := v.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]store.Recording{{Session: "one", Bytes: 5}}, list); diff != "" {
		t.Error(diff)
	}
}

func TestARecordingIsNeverWrittenTwice(t *testing.T) {
	t.Parallel()
	v, _ := open(t)
	if out, err := v.Create(t.Context(), "one"); err != nil || out.Close() != nil {
		t.Fatal(err)
	}
	if _, err := v.Create(t.Context(), "one"); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
}

func TestREC3_NamesCannotLeaveTheDirectory(t *testing.T) {
	t.Parallel()
	v, directory := open(t)
	tasks, err := volume.OpenTasks(directory)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tasks.Close() })
	for _, name := range []string{"", ".", "..", "../one", "a/b", "/etc/passwd", "a\x00", "one.rec"} {
		_, create := v.Create(t.Context(), name)
		_, read := v.Open(t.Context(), name)
		_, task := tasks.Task(name)
		for _, err := range []error{create, read, task} {
			if !errors.Is(err, record.ErrIdentifier) {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
}

func TestREC3_LinksAndOddFilesAreNotFollowed(t *testing.T) {
	t.Parallel()
	v, directory := open(t)
	secret := filepath.Join(t.TempDir(), "secret")
	for _, err := range []error{
		os.WriteFile(secret, []byte("secret"), 0o600),
		os.WriteFile(filepath.Join(directory, "real.rec"), []byte("x"), 0o600),
		os.Symlink(secret, filepath.Join(directory, "outside.rec")),
		os.Symlink("real.rec", filepath.Join(directory, "inside.rec")),
		os.Symlink("nowhere.rec", filepath.Join(directory, "dangling.rec")),
		syscall.Mkfifo(filepath.Join(directory, "fifo.rec"), 0o600),
		os.Mkdir(filepath.Join(directory, "directory.rec"), 0o700),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"outside", "inside", "dangling", "fifo", "directory"} {
		if in, err := v.Open(t.Context(), name); err == nil {
			t.Errorf("%s was opened: %v", name, in.Close())
		}
		if out, err := v.Create(t.Context(), name); err == nil {
			t.Errorf("%s was created: %v", name, out.Close())
		}
	}
	list, err := v.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]store.Recording{{Session: "real", Bytes: 1}}, list); diff != "" {
		t.Error(diff)
	}
}

func TestREC3_OneTasksDirectoryIsNotALinkToAnothers(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	for _, err := range []error{
		os.Mkdir(filepath.Join(directory, "task-a"), 0o700),
		os.Symlink("task-a", filepath.Join(directory, "task-b")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	tasks, err := volume.OpenTasks(directory)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tasks.Close() })
	if _, err := tasks.Task("task-a"); err != nil {
		t.Error(err)
	}
	if _, err := tasks.Task("task-b"); err == nil {
		t.Error("a link was followed")
	}
	if _, err := tasks.Task("task-c"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
