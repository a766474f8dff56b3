package volume_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/record/store/volume"
)

func TestREC3_LinksAndOddFilesAreNotFollowed(t *testing.T) {
	t.Parallel()
	v, folder := open(t, volume.Options{})
	secrets := t.TempDir()
	plant(t, filepath.Join(secrets, "00000001.seg"), []byte("secret"))
	plant(t, filepath.Join(folder, "real/00000001.seg"), []byte("x"))
	at := func(name string) string { return filepath.Join(folder, name) }
	for _, err := range []error{
		os.Symlink(secrets, at("outside")),
		os.Symlink("real", at("inside")),
		os.Symlink("nowhere", at("dangling")),
		os.Symlink("00000001.seg", at("real/00000002.seg")),
		os.Symlink(filepath.Join(secrets, "00000001.seg"), at("real/00000003.seg")),
		syscall.Mkfifo(at("real/00000004.seg"), 0o600),
		os.Mkdir(at("real/00000005.seg"), 0o700),
		syscall.Mkfifo(at("fifo.rec"), 0o600),
		syscall.Mkfifo(at("fifo"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{
		"outside/00000001.seg", "inside/00000001.seg", "dangling/00000001.seg", "fifo/00000001.seg",
		"real/00000002.seg", "real/00000003.seg", "real/00000004.seg", "real/00000005.seg",
	} {
		if in, err := v.Open(t.Context(), name, 0); err == nil {
			t.Errorf("%s was opened: %v", name, in.Close())
		}
		if err := v.Put(t.Context(), name, []byte("x")); err == nil {
			t.Errorf("%s was put", name)
		}
	}
	if in, err := v.Open(t.Context(), "fifo.rec", 0); err == nil {
		t.Errorf("a FIFO was opened: %v", in.Close())
	}
	sessions, err := v.Sessions(t.Context())
	if diff := cmp.Diff([]string{"real"}, sessions); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	objects, err := v.List(t.Context(), "real")
	if diff := cmp.Diff([]store.Object{{Name: "real/00000001.seg", Size: 1}}, objects); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if err := v.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(secrets, "00000001.seg")); err != nil {
		t.Errorf("Remove went through a link: %v", err)
	}
}

func TestREC3_OneTasksFolderIsNotALinkToAnothers(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	plant(t, filepath.Join(root, "task-a/one/00000001.seg"), []byte("x"))
	if err := os.Symlink("task-a", filepath.Join(root, "task-b")); err != nil {
		t.Fatal(err)
	}
	tasks, err := volume.OpenTasks(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tasks.Close() })
	v, err := tasks.Task("task-a")
	if err != nil {
		t.Fatal(err)
	}
	if sessions, err := v.Sessions(t.Context()); err != nil || len(sessions) != 1 {
		t.Errorf("%v, %v", sessions, err)
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
	if _, err := tasks.Task("task-b"); err == nil {
		t.Error("a link was followed")
	}
	if _, err := tasks.Task("task-c"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for _, name := range []string{"", ".", "..", "../task-a", "task-a/one", "/", "a\x00"} {
		if _, err := tasks.Task(name); !errors.Is(err, store.ErrIdentifier) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestObjectsAreTheirOwnersAndReadByTheGroup(t *testing.T) {
	t.Parallel()
	v, folder := open(t, volume.Options{})
	if err := v.Put(t.Context(), "one/00000001.seg", []byte("x")); err != nil {
		t.Fatal(err)
	}
	for name, allowed := range map[string]fs.FileMode{"one": 0o750, "one/00000001.seg": 0o640} {
		info, err := os.Stat(filepath.Join(folder, name))
		if err != nil || info.Mode().Perm()&^allowed != 0 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if entries, err := os.ReadDir(filepath.Join(folder, "one")); err != nil || len(entries) != 1 {
		t.Errorf("drafts are left: %v, %v", entries, err)
	}
}

func TestAQuotaCountsEverythingAndForgivesWhatIsGone(t *testing.T) {
	t.Parallel()
	v, folder := open(t, volume.Options{Quota: 100})
	plant(t, filepath.Join(folder, "old.rec"), make([]byte, 20))
	journal := filepath.Join(folder, "one/journal-00000002")
	plant(t, journal, make([]byte, 40))
	if err := v.Put(t.Context(), "one/00000001.seg", make([]byte, 40)); err != nil {
		t.Fatal(err)
	}
	if used, err := v.Usage(t.Context()); err != nil || used != 100 {
		t.Errorf("%d, %v", used, err)
	}
	if err := v.Put(t.Context(), "one/00000001.seg", make([]byte, 40)); err != nil {
		t.Errorf("the same again takes nothing: %v", err)
	}
	for _, err := range []error{v.Put(t.Context(), "one/00000002.seg", []byte("x")), v.Room(t.Context(), 1)} {
		if !errors.Is(err, store.ErrQuota) {
			t.Error(err)
		}
	}
	if err := os.Remove(journal); err != nil {
		t.Fatal(err)
	}
	if err := v.Put(t.Context(), "one/00000002.seg", make([]byte, 40)); err != nil {
		t.Error(err)
	}
	if err := v.Room(t.Context(), 0); err != nil {
		t.Error(err)
	}
}

func TestTheDraftOfADeadProcessIsRemovedAndThatOfALiveOneKept(t *testing.T) {
	t.Parallel()
	now := time.Now()
	v, folder := open(t, volume.Options{Now: func() time.Time { return now }})
	dead, live := filepath.Join(folder, "one/.put-DEAD"), filepath.Join(folder, "one/.put-LIVE")
	plant(t, dead, []byte("x"))
	plant(t, live, []byte("x"))
	if err := os.Chtimes(dead, now.Add(-time.Hour), now.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := v.Put(t.Context(), "one/00000001.seg", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dead); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the dead one's: %v", err)
	}
	if _, err := os.Stat(live); err != nil {
		t.Errorf("the live one's: %v", err)
	}
}
