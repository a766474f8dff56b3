package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

// Encrypted recordings are checked by everybody, and read by the recipients alone: not by
// whoever administers the storage, nor by the cluster's auditors.
func TestWhoAdministersTheStorageReadsNothingOfAnEncryptedRecording(t *testing.T) {
	t.Parallel()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "identity.txt")
	if err := os.WriteFile(file, []byte(identity.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := harness.Open(t).Domain(t, func(p *harness.Policies) {
		p.Read.Recording = v1alpha1.RecordingPolicy{
			Output: v1alpha1.OutputFull, Encryption: &v1alpha1.RecordingEncryption{Recipients: []string{identity.Recipient().String()}},
		}
	})
	task := d.Granted(t, d.Bob, "pay-1", harness.TypeRead)
	psql := task.Psql(t)
	psql.Reads(t, "SELECT 'zx' || 'confidential', name FROM customers WHERE id = 77;", "zxconfidential|Customer 77")
	looked := 0
	unreadable := func(when string) {
		for name, content := range task.Files(t) {
			looked++
			for _, told := range []string{"confidential", "Customer 77", "SELECT", "customers"} {
				if bytes.Contains(content, []byte(told)) {
					t.Errorf("%s: %s says %q", when, name, told)
				}
			}
		}
	}
	unreadable("while it goes on")
	task.RestartProxy(t)
	unreadable("after its proxy's end")
	again := task.Psql(t)
	again.Reads(t, "SELECT name FROM customers WHERE id = 77;", "Customer 77")
	task.Close(t)
	task.AwaitGone(t, v1alpha1.ReasonClosed)
	unreadable("when it is over")
	if looked == 0 {
		t.Error("there was nothing to look at")
	}

	d.Alice.Refused(t, []string{"encrypted", "identity"}, "access", "replay", task.Name, "-n", d.Namespace)
	replay := d.Alice.Kubectl(t, "access", "replay", task.Name, "-n", d.Namespace, "--identity", file)
	says(t, replay, "zx", "confidential", "Customer 77")
	verdict := task.Verify(t)
	if verdict.Code == 1 || verdict.Code == 3 {
		t.Errorf("verify without an identity: exit code %d: %s", verdict.Code, verdict)
	}
	says(t, verdict.String(), "signed")
	bundle, key := task.Evidence(t), d.RecordingKeys(t)
	for _, arguments := range [][]string{nil, {"--identity", file}} {
		result := d.Elsewhere(t, append([]string{"evidence", "verify", bundle, "--key", key}, arguments...)...)
		// The session whose proxy died has no end.
		if result.Code != 2 {
			t.Errorf("evidence verify %v: exit code %d: %s", arguments, result.Code, result)
		}
	}
}
