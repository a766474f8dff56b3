package harness

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	utilrand "k8s.io/apimachinery/pkg/util/rand"
)

const (
	// archiveHost is outside of the cluster, for all that its pods can tell.
	archiveHost, archiveIP = "spare.targets.test", "10.91.0.11"
	// archiveSample is what operators edit, from the folder of the tests.
	archiveSample = "../../config/samples/store"

	archiveKey, archiveSecret = "throwaway", "throwaway secret of an archive"
)

// Archive is a bucket of an S3 server beside the cluster, which the installation knows as
// a store.
type Archive struct {
	// Name is the store's, for policies.
	Name string
	// Address is where pods reach it, IP and port.
	Address string
	// Folder is where the server keeps the bucket's objects, as files.
	Folder string

	cluster *Cluster
	// root has the server's files, and command starts it.
	root, command string
}

// Archive starts an S3 server with TLS and makes its bucket a store, until the end of the
// test. It comes before the domain that uses it, to outlive its tasks.
func (c *Cluster) Archive(t testing.TB) *Archive {
	t.Helper()
	program := os.Getenv("VERSITYGW")
	if program == "" {
		message := "this test needs an S3 server: run make test-e2e, or set VERSITYGW to what hack/s3/build.sh prints"
		if os.Getenv("SALLYPORT_ALLOW_MISSING") == "1" {
			t.Skip(message)
		}
		t.Fatal(message)
	}
	// Tests that run at once have ports of their own.
	port := 20000 + mathrand.IntN(20000)
	root := t.TempDir()
	a := &Archive{
		Name: "archive-" + utilrand.String(6), Address: fmt.Sprintf("%s:%d", archiveIP, port),
		Folder: filepath.Join(root, "data", "recordings"), cluster: c, root: root,
	}
	if err := os.MkdirAll(a.Folder, 0o700); err != nil {
		t.Fatal(err)
	}
	authority := certify(t, root)
	a.command = fmt.Sprintf("%s --region us-east-1 --access %s --secret '%s' --cert %s/server.crt --key %s/server.key --quiet --port %s posix %s/data",
		program, archiveKey, archiveSecret, root, root, a.Address, root)
	a.Start(t)
	t.Cleanup(func() {
		a.Stop(t)
		if t.Failed() {
			log, _ := os.ReadFile(root + "/log")
			t.Logf("the S3 server's last words: %s", log[max(0, len(log)-2000):])
		}
	})
	c.installStore(t, a, port, authority)
	return a
}

// Start starts the server, among the cluster's processes.
func (a *Archive) Start(t testing.TB) {
	t.Helper()
	a.cluster.inside(t, fmt.Sprintf("setsid %s >>%s/log 2>&1 </dev/null & echo $! >%s/pid", a.command, a.root, a.root))
}

// Stop kills it; what it has stored stays.
func (a *Archive) Stop(t testing.TB) {
	t.Helper()
	a.cluster.inside(t, fmt.Sprintf("kill -9 $(cat %s/pid) || true", a.root))
}

// installStore applies the sample of a store with this one's own values.
func (c *Cluster) installStore(t testing.TB, a *Archive, port int, authority string) {
	t.Helper()
	manifest := c.Administrator.Kubectl(t, "kustomize", archiveSample)
	for old, own := range map[string]string{
		"sallyport-store-archive":               "sallyport-store-" + a.Name,
		"endpoint: https://s3.example.org:9000": fmt.Sprintf("endpoint: https://%s:%d\n  caBundle: |\n%s", archiveHost, port, indented(authority)),
		"bucket: sallyport-recordings":          "bucket: " + filepath.Base(a.Folder),
		"lockMode: governance":                  "lockMode: none",
		"accessKeyID: replace-me":               "accessKeyID: " + archiveKey,
		"secretAccessKey: replace-me":           "secretAccessKey: " + archiveSecret,
		"port: 9000":                            fmt.Sprint("port: ", port),
	} {
		if !strings.Contains(manifest, old) {
			t.Fatalf("%s has no %q any more", archiveSample, old)
		}
		manifest = strings.ReplaceAll(manifest, old, own)
	}
	c.Administrator.KubectlWith(t, manifest, "apply", "-f", "-")
	t.Cleanup(func() { c.Administrator.KubectlWith(t, manifest, "delete", "--wait=false", "-f", "-") })
}

// Objects lists the bucket's objects whose names have this in them, as the server keeps
// them.
func (a *Archive) Objects(t testing.TB, of string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(a.Folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && strings.Contains(path, of) {
			names = append(names, path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a file that was being written
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func indented(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
}

// certify writes server.crt and server.key for the archive's host, and returns who
// vouches for them.
func certify(t testing.TB, folder string) string {
	t.Helper()
	authorityKey, key := newKey(t), newKey(t)
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the archive's authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: archiveHost}, DNSNames: []string{archiveHost},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	own, errOwn := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	issued, errIssued := x509.CreateCertificate(rand.Reader, server, authority, key.Public(), authorityKey)
	encoded, errKey := x509.MarshalPKCS8PrivateKey(key)
	err := errors.Join(errOwn, errIssued, errKey,
		os.WriteFile(folder+"/server.crt", encode("CERTIFICATE", issued), 0o600),
		os.WriteFile(folder+"/server.key", encode("PRIVATE KEY", encoded), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return string(encode("CERTIFICATE", own))
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func encode(kind string, der []byte) []byte {
	var b bytes.Buffer
	_ = pem.Encode(&b, &pem.Block{Type: kind, Bytes: der})
	return b.Bytes()
}
