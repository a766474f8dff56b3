package verify_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/cli/recording/recordingtest"
)

// Whoever can write to a store can make events, but no signature: with a key given, an
// end that rests on nothing else must not be called OK.
func TestREC2_WhatNoKeyHasSignedIsNotOKWhateverFormItHas(t *testing.T) {
	t.Parallel()
	copied := func(t *testing.T, from, to string) {
		t.Helper()
		content, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for what, forge := range map[string]func(t *testing.T, f *recordingtest.Folder){
		"an end in a journal, behind signed segments": func(t *testing.T, f *recordingtest.Folder) {
			t.Helper()
			f.SegmentBytes = 1000
			live := f.Begin(t, recordingtest.Start("s1"))
			live.Add(events()[:12]...)
			if err := live.Rotate(); err != nil {
				t.Fatal(err)
			}
			f.SegmentBytes = 0
			live.Add(recordingtest.End(1, 0)) // its journal is not sealed
		},
		"nothing but a journal": func(t *testing.T, f *recordingtest.Folder) {
			t.Helper()
			f.Begin(t, recordingtest.Start("s1")).Add(recordingtest.End(0, 0))
		},
		"a file of a format that had no signatures": func(t *testing.T, f *recordingtest.Folder) {
			t.Helper()
			copied(t, "../../record/testdata/0.2/session.rec", filepath.Join(f.Path, "0195-session.rec"))
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			folder := recordingtest.New(t)
			forge(t, folder)
			out, code := verified(t, folder, key(t, folder))
			if code != 3 || !strings.Contains(out, "UNSIGNED") {
				t.Errorf("exit code %d\n%s", code, out)
			}
		})
	}
}
