package volume

import (
	"errors"
	"io/fs"
	"os"
	"testing"
)

func TestWithoutLinksRenamingDoesNotReplaceEither(t *testing.T) {
	t.Parallel()
	folder, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = folder.Close() })
	for _, name := range []string{"draft", "taken"} {
		if err := folder.WriteFile(name, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := rename(folder, "draft", "taken"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over another: %v", err)
	}
	if err := rename(folder, "draft", "free"); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{"taken": "taken", "free": "draft"} {
		if got, err := folder.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
