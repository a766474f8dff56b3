package evidence_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/evidence"
	"github.com/sallyport/sallyport/internal/record/store"
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

func TestARequestThatWasDeniedIsProvedToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Recordings = store.FS(os.DirFS(t.TempDir()))
	w.Reviews = w.Reviews[:1]
	review := &w.Reviews[0]
	review.Spec.Decisions = []v1alpha1.Decision{{Reviewer: "alice", Groups: []string{"dbas"}, Verdict: v1alpha1.VerdictDeny, Message: "not now"}}
	review.Status.Outcome, review.Status.DecidedAt = v1alpha1.OutcomeDenied, moment(5)
	review.Status.Latched = []v1alpha1.LatchedDecision{{Reviewer: "alice", At: *moment(5), Verdict: v1alpha1.VerdictDeny, Counted: true, Seat: "dba"}}
	status := &w.Request.Status
	status.GrantedAt, status.Credential, status.Recording = nil, nil, nil
	status.Ended = &v1alpha1.Ended{Reason: "Denied", Message: "denied by alice: not now", At: *moment(5)}
	bundle := w.bundle(t)
	folder := t.TempDir()
	if err := os.CopyFS(folder, open(t, bundle)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(folder, "recordings")); err != nil {
		t.Fatal(err)
	}
	for _, files := range []fs.FS{open(t, bundle), os.DirFS(folder)} {
		if result := check(t, files, trusted()); result.Level() != evidence.OK {
			t.Errorf("%s%s", said(result, evidence.Failed), said(result, evidence.Gap))
		}
	}
}
