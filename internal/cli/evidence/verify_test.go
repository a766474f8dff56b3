package evidence_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/sallyport/sallyport/api/v1alpha1"
	cli "github.com/sallyport/sallyport/internal/cli/evidence"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/recording/recordingtest"
	"github.com/sallyport/sallyport/internal/digest"
	"github.com/sallyport/sallyport/internal/evidence"
	"github.com/sallyport/sallyport/internal/record/store"
)

// bundle is a bundle of a request that nobody has reviewed, with one signed session, in a
// file, and the file of the key.
func bundle(t *testing.T) (file, key string) {
	t.Helper()
	recordings := recordingtest.New(t)
	recordings.Session(t, recordingtest.Start("s1"), recordingtest.End(0, 0))
	request := &v1alpha1.TaskAccessRequest{
		ObjectMeta: metav1.ObjectMeta{Name: "pay-1423", Namespace: "team-payments", UID: "6f1f"},
		Spec:       v1alpha1.TaskAccessRequestSpec{Requester: v1alpha1.Requester{Username: "bob"}, Target: "orders"},
	}
	request.Status.RequestDigest = digest.Request(request)
	file, key = filepath.Join(t.TempDir(), "bundle.tar"), filepath.Join(t.TempDir(), "key.pem")
	out, err := os.Create(file)
	if err == nil {
		_, err = evidence.Write(t.Context(), out, evidence.Material{
			Request: request, Recordings: store.FS(os.DirFS(recordings.Path)), Created: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC),
		})
		err = errors.Join(err, out.Close(), os.WriteFile(key, []byte(recordings.PublicPEM(t)), 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	return file, key
}

// verified runs the verb: what it prints, and its error.
func verified(t *testing.T, o cli.Verify) (string, error) {
	t.Helper()
	streams, _, out, _ := genericiooptions.NewTestIOStreams()
	o.IOStreams = streams
	err := errors.Join(o.Validate(), o.Complete())
	if err == nil {
		err = o.Run(t.Context())
	}
	return out.String(), err
}

func TestTheVerdictIsTheLastLineAndTheExitCode(t *testing.T) {
	t.Parallel()
	file, key := bundle(t)
	for name, c := range map[string]struct {
		o       cli.Verify
		code    int
		verdict string
	}{
		"with the key":    {cli.Verify{Bundle: file, Keys: []string{key}}, 2, "OK WITH GAPS: "},
		"without a key":   {cli.Verify{Bundle: file}, 3, "UNVERIFIED: "},
		"by itself":       {cli.Verify{Bundle: file, WithoutKey: true}, 2, "OK WITH GAPS: "},
		"another's bytes": {cli.Verify{Bundle: changed(t, file), Keys: []string{key}}, 1, "FAILED: "},
		"changed, no key": {cli.Verify{Bundle: changed(t, file)}, 1, "FAILED: "},
	} {
		out, err := verified(t, c.o)
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		last := lines[len(lines)-1]
		if kube.ExitCode(err) != c.code || !strings.HasPrefix(last, c.verdict) || !strings.HasSuffix(last, "(request team-payments/pay-1423, UID 6f1f)") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		for _, line := range lines {
			if line == "" {
				t.Errorf("%s: an empty line in\n%s", name, out)
			}
		}
	}
}

// changed is a copy of a file in which bob is called eve.
func changed(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "changed.tar")
	if err := os.WriteFile(copied, []byte(strings.ReplaceAll(string(content), `"bob"`, `"eve"`)), 0o600); err != nil {
		t.Fatal(err)
	}
	return copied
}

func TestWhatIsNoBundleIsSaid(t *testing.T) {
	t.Parallel()
	file, key := bundle(t)
	for name, o := range map[string]cli.Verify{
		"none":                    {},
		"not there":               {Bundle: file + "x"},
		"no tar file":             {Bundle: key},
		"a key and without one":   {Bundle: file, Keys: []string{key}, WithoutKey: true},
		"a key that is not there": {Bundle: file, Keys: []string{key + "x"}},
	} {
		if out, err := verified(t, o); kube.ExitCode(err) != 1 || strings.Contains(out, "OK") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	if out, err := verified(t, cli.Verify{Bundle: t.TempDir()}); kube.ExitCode(err) != 1 || !strings.Contains(out, "FAILED: do not believe it") {
		t.Errorf("an empty folder: %v\n%s", err, out)
	}
}
