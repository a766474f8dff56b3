package krl

import (
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sallyport/sallyport/api/v1alpha1"
	issuer "github.com/sallyport/sallyport/internal/credential/ssh"
)

var noon = time.Date(2030, 3, 1, 12, 0, 0, 0, time.UTC)

func newSigner(t *testing.T) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// certify writes a certificate of a request, as the manager signs it.
func certify(t *testing.T, authority ssh.Signer, uid, path string) {
	t.Helper()
	certificate := &ssh.Certificate{
		Key: newSigner(t).PublicKey(), CertType: ssh.UserCert, Serial: issuer.Serial(uid), KeyId: issuer.KeyID(uid),
		ValidPrincipals: []string{"deploy"}, ValidBefore: ssh.CertTimeInfinity,
	}
	if err := certificate.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, ssh.MarshalAuthorizedKey(certificate), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheListHasWhatIsOverButMayStillBeGood(t *testing.T) {
	t.Parallel()
	authority := newSigner(t)
	target := &v1alpha1.AccessTarget{Spec: v1alpha1.AccessTargetSpec{SSH: &v1alpha1.SSHTarget{CertificateSeconds: 300}}}
	target.Name, target.Namespace = "web", "payments"
	target.Status.CertificateAuthority = string(ssh.MarshalAuthorizedKey(authority.PublicKey()))
	request := func(uid, target string, ended time.Duration) v1alpha1.TaskAccessRequest {
		r := v1alpha1.TaskAccessRequest{Spec: v1alpha1.TaskAccessRequestSpec{Target: target}}
		r.UID = types.UID(uid)
		if ended > 0 {
			r.Status.Ended = &v1alpha1.Ended{At: metav1.NewTime(noon.Add(-ended))}
		}
		return r
	}
	closing := request("closing", "web", 0)
	closing.Spec.State = v1alpha1.StateClosed
	list, count, err := revoked(target, []v1alpha1.TaskAccessRequest{
		request("open", "web", 0), closing, request("just", "web", time.Minute), request("long", "web", time.Hour), request("other", "db", time.Minute),
	}, noon)
	if err != nil || count != 2 {
		t.Fatalf("%d requests, %v", count, err)
	}
	folder := t.TempDir()
	file := filepath.Join(folder, "revoked")
	if err := replace(file, list.Marshal()); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		if os.Getenv("SALLYPORT_ALLOW_MISSING") == "1" {
			t.Skip("no ssh-keygen on PATH: install OpenSSH's client (hack/setup.sh)")
		}
		t.Fatal("no ssh-keygen on PATH: install OpenSSH's client (hack/setup.sh)")
	}
	for uid, want := range map[string]bool{"open": false, "closing": true, "just": true, "long": false, "other": false} {
		path := filepath.Join(folder, uid+"-cert.pub")
		certify(t, authority, uid, path)
		out, err := exec.Command("ssh-keygen", "-Q", "-f", file, path).CombinedOutput()
		if got := strings.Contains(string(out), "REVOKED"); got != want || got == (err == nil) {
			t.Errorf("%s: revoked %v, want %v (%v): %s", uid, got, want, err, out)
		}
	}
}

func TestWithoutAnAuthorityThereIsNothingToRevoke(t *testing.T) {
	t.Parallel()
	target := &v1alpha1.AccessTarget{Spec: v1alpha1.AccessTargetSpec{Postgres: &v1alpha1.PostgresTarget{}}}
	if _, _, err := revoked(target, nil, noon); err == nil {
		t.Error("a list for a database")
	}
}
