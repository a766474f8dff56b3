package store_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/record/store/conformance"
)

func TestAFolderConforms(t *testing.T) {
	t.Parallel()
	conformance.Run(t, func(t *testing.T) conformance.Subject {
		folder := t.TempDir()
		return conformance.Subject{
			Reader: store.FS(os.DirFS(folder)), Another: store.FS(os.DirFS(t.TempDir())),
			Plant: func(t *testing.T, name string, content []byte) {
				t.Helper()
				plant(t, filepath.Join(folder, name), content)
			},
		}
	})
}

func TestAnArchiveWhoseFilesDoNotSeekConforms(t *testing.T) {
	t.Parallel()
	conformance.Run(t, func(*testing.T) conformance.Subject {
		archive := fstest.MapFS{}
		return conformance.Subject{
			Reader: store.FS(archive), Another: store.FS(fstest.MapFS{}),
			Plant: func(_ *testing.T, name string, content []byte) {
				archive[name] = &fstest.MapFile{Data: content, Mode: 0o600}
			},
		}
	})
}

func TestREC3_AFolderOfLinksIsNotFollowed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	plant(t, filepath.Join(folder, "real/00000001.seg"), []byte("x"))
	for link, target := range map[string]string{"linked": "real", "outside": t.TempDir(), "real/00000002.seg": "00000001.seg", "linked.rec": "real/00000001.seg"} {
		if err := os.Symlink(target, filepath.Join(folder, link)); err != nil {
			t.Fatal(err)
		}
	}
	r := store.FS(os.DirFS(folder))
	for _, name := range []string{"linked/00000001.seg", "outside/00000001.seg", "real/00000002.seg", "linked.rec"} {
		if in, err := r.Open(t.Context(), name, 0); err == nil {
			t.Errorf("%s was opened: %v", name, in.Close())
		}
	}
	if sessions, err := r.Sessions(t.Context()); err != nil || len(sessions) != 1 {
		t.Errorf("%v, %v", sessions, err)
	}
}

func plant(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
