package harness

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/ledger"
)

// Files are what lies on the recordings volume of a task, by path below the task's folder,
// as whoever administers the storage sees it.
func (k *Task) Files(t testing.TB) map[string][]byte {
	t.Helper()
	volume := os.Getenv("SALLYPORT_RECORDINGS")
	if volume == "" {
		t.Fatal("this test looks at the recordings volume: set SALLYPORT_RECORDINGS to where it is, as hack/cluster does")
	}
	files := map[string][]byte{}
	folder := filepath.Join(volume, k.UID)
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, folder+"/")] = content
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Ledger reads the entry that outlives a task.
func (k *Task) Ledger(t testing.TB) ledger.Entry {
	t.Helper()
	config := Get(t, k.Domain.Cluster, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.ProxyNamespace, Name: ledger.Name(k.UID)}})
	entry, err := ledger.Parse(config)
	if err != nil {
		t.Fatal(err)
	}
	return entry
}

// KeepUntil has the operator's owners say in the ledger until when a task's recordings are
// kept.
func (k *Task) KeepUntil(t testing.TB, until time.Time) {
	t.Helper()
	k.Domain.Administrator.Kubectl(t, "patch", "configmap", ledger.Name(k.UID), "-n", v1alpha1.ProxyNamespace, "--type=merge",
		"-p", `{"data":{"keepUntil":"`+until.UTC().Format(time.RFC3339)+`"}}`)
}

// Audit are the lines of the audit stream, of manager and reader, that have all of these
// words.
func (c *Cluster) Audit(t testing.TB, words ...string) (found []string) {
	t.Helper()
	for namespace, component := range map[string]string{v1alpha1.OperatorNamespace: "manager", v1alpha1.ProxyNamespace: "reader"} {
		logs := c.Administrator.Kubectl(t, "logs", "-n", namespace, "-l", v1alpha1.LabelComponent+"="+component, "--tail=-1")
		for line := range strings.Lines(logs) {
			missing := func(word string) bool { return !strings.Contains(line, word) }
			if strings.HasPrefix(line, `{"specversion":"1.0"`) && !slices.ContainsFunc(words, missing) {
				found = append(found, line)
			}
		}
	}
	return found
}

// AwaitAudit waits for an event of the audit stream that has all of these words.
func (c *Cluster) AwaitAudit(t testing.TB, words ...string) string {
	t.Helper()
	var found []string
	Eventually(t, Patience, "an audit event with "+strings.Join(words, ", "), func() (bool, string) {
		found = c.Audit(t, words...)
		return len(found) > 0, "none"
	})
	return found[0]
}
