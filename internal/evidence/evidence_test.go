package evidence_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/internal/evidence"
)

func TestAWholeBundleIsProved(t *testing.T) {
	t.Parallel()
	result := check(t, open(t, newWorld(t).bundle(t)), trusted())
	if result.Level() != evidence.OK {
		t.Errorf("failed:\n%sgaps:\n%s", said(result, evidence.Failed), said(result, evidence.Gap))
	}
	t.Log(said(result, evidence.OK))
}

func TestTheSameMaterialMakesTheSameBundle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if !bytes.Equal(w.bundle(t), w.bundle(t)) {
		t.Error("two bundles of one request differ")
	}
}

func TestABundleThatWasUnpackedIsChecked(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.CopyFS(folder, open(t, newWorld(t).bundle(t))); err != nil {
		t.Fatal(err)
	}
	if result := check(t, os.DirFS(folder), trusted()); result.Level() != evidence.OK {
		t.Error(said(result, evidence.Failed))
	}
}

func TestAReportReadsWell(t *testing.T) {
	t.Parallel()
	bundle := open(t, newWorld(t).bundle(t))
	for _, name := range []string{"report.md", "report.html"} {
		got, err := fs.ReadFile(bundle, name)
		if err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", name+".golden")
		if os.Getenv("UPDATE_GOLDEN") == "1" {
			if err := os.WriteFile(golden, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Error(diff)
		}
	}
}
