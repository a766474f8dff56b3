package evidence_test

import (
	"bytes"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/internal/evidence"
	"github.com/sallyport/sallyport/internal/tarfs"
)

// A byte of padding, of a header's spare room, or of the manifest's blanks may change: then
// every other file is still what it was.
func TestNoChangedByteOfATarFilePassesUnlessNoFileIsChanged(t *testing.T) {
	t.Parallel()
	bundle := newWorld(t).bundle(t)
	original := unpack(t, bundle)
	rapid.Check(t, func(r *rapid.T) {
		changed := bytes.Clone(bundle)
		for range rapid.IntRange(1, 4).Draw(r, "changes") {
			at := rapid.IntRange(0, len(changed)-1).Draw(r, "at")
			changed[at] ^= byte(rapid.IntRange(1, 255).Draw(r, "by"))
		}
		if rapid.Bool().Draw(r, "cut") {
			changed = changed[:rapid.IntRange(0, len(changed)).Draw(r, "length")]
		}
		files, err := tarfs.Read(bytes.NewReader(changed), int64(len(changed)), tarfs.RefuseLinks)
		if err != nil {
			return
		}
		result, err := evidence.Check(t.Context(), files, trusted())
		if err != nil || result.Level() != evidence.OK {
			return
		}
		got := unpack(t, changed)
		got["manifest.json"] = original["manifest.json"]
		if !maps.EqualFunc(original, got, bytes.Equal) {
			r.Error("a bundle that was changed passes")
		}
	})
}
