package clientkey

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

func TestAKeyIsKeptForItsUserAloneAndFoundByTheRequest(t *testing.T) {
	t.Parallel()
	store := Store{Folder: filepath.Join(t.TempDir(), "sallyport", "keys")}
	key, err := store.Generate()
	if err != nil {
		t.Fatal(err)
	}
	line, err := Authorized(key, "pay-1423")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(line, "ecdsa-sha2-nistp256 ") || !strings.HasSuffix(line, " pay-1423") || strings.ContainsAny(line, "\r\n") {
		t.Errorf("line %q", line)
	}
	files, _ := filepath.Glob(filepath.Join(store.Folder, "*"))
	if len(files) != 1 {
		t.Fatalf("files %q", files)
	}
	for path, want := range map[string]os.FileMode{files[0]: 0o600, store.Folder: 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v, want %o", path, info.Mode(), err, want)
		}
	}
	found, err := store.Find([]string{"not a key", line})
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := Authorized(found, "pay-1423"); again != line {
		t.Errorf("found %q, want %q", again, line)
	}
	request := &v1alpha1.TaskAccessRequest{Spec: v1alpha1.TaskAccessRequestSpec{ClientKeys: []string{line, line}}}
	if err := store.Remove(request); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Find([]string{line}); !errors.Is(err, ErrNone) {
		t.Errorf("after removal: %v", err)
	}
}

func TestRequestsThatShareSomebodysOwnKeyDoNotShareItsHostKeys(t *testing.T) {
	t.Parallel()
	store := Store{Folder: filepath.Join(t.TempDir(), "keys")}
	_, own, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	line, err := Authorized(own, "bob's own")
	if err != nil {
		t.Fatal(err)
	}
	var requests []*v1alpha1.TaskAccessRequest
	var known []string
	for _, name := range []string{"web-1", "web-2"} {
		r := &v1alpha1.TaskAccessRequest{Spec: v1alpha1.TaskAccessRequestSpec{ClientKeys: []string{line}}}
		r.Name, r.UID = name, types.UID("uid-of-"+name)
		_, path, err := store.ForSSH(own, r, name+" ssh-ed25519 AAAA")
		if err != nil {
			t.Fatal(err)
		}
		requests, known = append(requests, r), append(known, path)
	}
	if err := store.Remove(requests[1]); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(known[0]); err != nil || !strings.HasPrefix(string(content), "web-1 ") {
		t.Errorf("once the second is closed, the first's host key is %q (%v)", content, err)
	}
	if left, err := os.ReadDir(store.Folder); err != nil || len(left) != 2 {
		t.Errorf("%v are left (%v), want the first's two files", left, err)
	}
}

func TestARequestsUIDLeadsNoFileOutOfTheStore(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store := Store{Folder: filepath.Join(folder, "keys")}
	key, err := store.Generate()
	if err != nil {
		t.Fatal(err)
	}
	line, err := Authorized(key, "pay-1423")
	if err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(folder, "mine.known_hosts")
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	request := &v1alpha1.TaskAccessRequest{Spec: v1alpha1.TaskAccessRequestSpec{ClientKeys: []string{line}}}
	request.UID = types.UID("/../../mine")
	if _, _, err := store.ForSSH(key, request, "known"); err == nil {
		t.Error("files were written")
	}
	if err := store.Remove(request); err != nil {
		t.Error(err)
	}
	if content, err := os.ReadFile(outside); err != nil || len(content) != 0 {
		t.Errorf("a file of somebody else's: %q, %v", content, err)
	}
}

func TestAKeyThatOthersCanReadIsRefused(t *testing.T) {
	t.Parallel()
	store := Store{Folder: t.TempDir()}
	key, err := store.Generate()
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(store.Folder, "*"))
	if err := os.Chmod(files[0], 0o644); err != nil {
		t.Fatal(err)
	}
	line, _ := Authorized(key, "x")
	if _, err := store.Find([]string{line}); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("got %v", err)
	}
}

func TestACertificateServesTLSForEveryKindOfKey(t *testing.T) {
	t.Parallel()
	generated, err := Store{Folder: t.TempDir()}.Generate()
	if err != nil {
		t.Fatal(err)
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "bob's own")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "id_ed25519")
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	own, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	user := "oidc:" + strings.Repeat("ü", 80)
	for name, key := range map[string]crypto.Signer{"generated": generated, "own": own} {
		certificate, private, err := Certificate(key, user, now)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		pair, err := tls.X509KeyPair(certificate, private)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil || leaf.NotBefore.After(now) || len([]rune(leaf.Subject.CommonName)) != 64 {
			t.Errorf("%s: %v %+v", name, err, leaf)
		}
	}
}
