package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestARemovalEmptiesItsFolderAndFollowsNoLinkOutOfIt(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	folder, elsewhere := filepath.Join(root, "task"), filepath.Join(root, "elsewhere")
	words := filepath.Join(root, "words")
	for _, dir := range []string{filepath.Join(folder, "s-1"), elsewhere} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{
		filepath.Join(folder, "s-1", "00000001.seg"): "0123456789", filepath.Join(folder, "stray"): "", filepath.Join(elsewhere, "keep"): "mine",
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, link := range []string{"out", "s-1/out"} {
		if err := os.Symlink(elsewhere, filepath.Join(folder, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := remove(t.Context(), folder, words); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Errorf("left: %v %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(elsewhere, "keep")); err != nil {
		t.Errorf("what a link leads to: %v", err)
	}
	if said, err := os.ReadFile(words); err != nil || string(said) != "1 sessions, 10 bytes" {
		t.Errorf("said %q %v", said, err)
	}
	// Once more is no error: the pod may have been ended before it could say so.
	if err := remove(t.Context(), folder, words); err != nil {
		t.Error(err)
	}
}

func TestARemovalOfNothingSaysWhy(t *testing.T) {
	t.Parallel()
	words := filepath.Join(t.TempDir(), "words")
	if err := remove(t.Context(), filepath.Join(t.TempDir(), "missing"), words); err == nil {
		t.Error("no folder, and no error")
	}
	if said, err := os.ReadFile(words); err != nil || len(said) == 0 {
		t.Errorf("said %q %v", said, err)
	}
}
