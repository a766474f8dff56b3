package keys

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var epoch = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const uid = "0a1b2c3d-0000-4000-8000-000000000001"

func newRoot(t *testing.T) *Root {
	t.Helper()
	root, err := Generate(epoch)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestRootKeysSurviveTheirSecret(t *testing.T) {
	t.Parallel()
	root := newRoot(t)
	data, err := root.Data()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := root.Derive("postgres/1")
	b, _ := again.Derive("postgres/1")
	if len(a) != 32 || !bytes.Equal(a, b) {
		t.Fatal("the same root keys derive another key")
	}
	if other, _ := root.Derive("postgres/2"); bytes.Equal(a, other) {
		t.Fatal("two purposes share a key")
	}
	if !bytes.Equal(root.CA(), again.CA()) {
		t.Fatal("the authority changed")
	}
}

func TestRootKeysThatDoNotBelongTogetherAreRefused(t *testing.T) {
	t.Parallel()
	good, _ := newRoot(t).Data()
	other, _ := newRoot(t).Data()
	with := func(key string, value []byte) map[string][]byte {
		data := maps.Clone(good)
		data[key] = value
		return data
	}
	leaf, leafKey, err := newRoot(t).ReaderCertificate(epoch)
	if err != nil {
		t.Fatal(err)
	}
	noAuthority := with("ca.crt", leaf)
	noAuthority["ca.key"] = leafKey
	for name, data := range map[string]map[string][]byte{
		"nothing":             nil,
		"another's key":       with("ca.key", other["ca.key"]),
		"no certificate":      with("ca.crt", []byte("x")),
		"no key":              with("ca.key", nil),
		"a short master key":  with("credential.key", []byte("short")),
		"a leaf as authority": noAuthority,
	} {
		if _, err := Parse(data); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestRootKeysAreNotPrinted(t *testing.T) {
	t.Parallel()
	root := newRoot(t)
	encoded, err := json.Marshal(map[string]any{"keys": root})
	if err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprintf("%v %+v %#v %s %q %x", root, root, root, root, root, root) + string(encoded)
	printed += fmt.Sprintf("%v %+v", struct{ K *Root }{root}, []any{root})
	for _, secret := range []string{
		string(root.master), hex.EncodeToString(root.master), base64.StdEncoding.EncodeToString(root.master),
		fmt.Sprintf("%d", root.master), "PRIVATE",
	} {
		if strings.Contains(printed, secret) {
			t.Fatal("a root key was printed")
		}
	}
}

func TestATasksCertificateHasItsOwnNameWhateverTheSigningRequestAsks(t *testing.T) {
	t.Parallel()
	root := newRoot(t)
	key := newKey(t)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject:     pkix.Name{CommonName: ManagerName},
		DNSNames:    []string{ManagerName, "evil.example.com"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := root.SignTask(uid, csr, epoch, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{TaskName(uid)}, leaf.DNSNames); diff != "" {
		t.Fatal(diff)
	}
	if leaf.Subject.CommonName != "" || len(leaf.IPAddresses)+len(leaf.URIs)+len(leaf.EmailAddresses) != 0 || leaf.IsCA {
		t.Fatalf("the signing request had a say: %v", leaf.Subject)
	}
	if diff := cmp.Diff([]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, leaf.ExtKeyUsage); diff != "" {
		t.Fatal(diff)
	}
	if err := verify(root, leaf, TaskName(uid)); err != nil {
		t.Fatal(err)
	}
	if verify(root, leaf, ManagerName) == nil {
		t.Fatal("a task's certificate passes for the manager's")
	}
}

func TestATasksCertificateIsBounded(t *testing.T) {
	t.Parallel()
	root := newRoot(t)
	for name, c := range map[string]struct{ asked, want time.Time }{
		"as asked":          {epoch.Add(time.Hour), epoch.Add(time.Hour)},
		"longer than a day": {epoch.Add(1000 * time.Hour), epoch.Add(TaskLifetime)},
		"without an end":    {time.Time{}, epoch.Add(TaskLifetime)},
	} {
		der, err := root.SignTask(uid, newCSR(t, newKey(t)), epoch, c.asked)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if leaf, _ := x509.ParseCertificate(der); !leaf.NotAfter.Equal(c.want) {
			t.Errorf("%s: ends %v, want %v", name, leaf.NotAfter, c.want)
		}
	}
	if _, err := root.SignTask(uid, newCSR(t, newKey(t)), epoch, epoch.Add(-time.Second)); err == nil {
		t.Error("a task that is over got a certificate")
	}
}

func TestASigningRequestMustProveAnAcceptableKey(t *testing.T) {
	t.Parallel()
	root := newRoot(t)
	forged := newCSR(t, newKey(t))
	forged[len(forged)-1] ^= 1
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, csr := range map[string][]byte{
		"garbage": []byte("x"), "nothing": nil, "a broken signature": forged, "an unusual curve": newCSR(t, p521),
	} {
		if _, err := root.SignTask(uid, csr, epoch, time.Time{}); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
	for _, hostile := range []string{"", "a.b", "*", "A", "x/y", "é", strings.Repeat("a", 64)} {
		if _, err := root.SignTask(hostile, newCSR(t, newKey(t)), epoch, time.Time{}); err == nil {
			t.Errorf("UID %q: signed", hostile)
		}
	}
}

func TestManagerAndReaderAreKnownByTheirNames(t *testing.T) {
	t.Parallel()
	root := newRoot(t)
	manager, err := root.ManagerCertificate(epoch)
	if err != nil {
		t.Fatal(err)
	}
	leaf, _ := x509.ParseCertificate(manager.Certificate[0])
	if err := verify(root, leaf, ManagerName); err != nil {
		t.Error(err)
	}
	certificate, key, err := root.ReaderCertificate(epoch)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(root, reader.Leaf, ReaderName); err != nil {
		t.Error(err)
	}
}

func TestTheAuthorityIsConfinedToItsNames(t *testing.T) {
	t.Parallel()
	root := newRoot(t)
	for name, template := range map[string]*x509.Certificate{
		"another DNS name":     {DNSNames: []string{"kubernetes.default.svc"}},
		"a suffix of ours":     {DNSNames: []string{"eviltask.sallyport.internal"}},
		"an IPv4 address":      {DNSNames: []string{TaskName(uid)}, IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1)}},
		"an IPv6 address":      {DNSNames: []string{TaskName(uid)}, IPAddresses: []net.IP{net.IPv6loopback}},
		"a client certificate": {DNSNames: []string{TaskName(uid)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}},
	} {
		template.SerialNumber = big.NewInt(1)
		template.NotBefore, template.NotAfter = epoch, epoch.Add(time.Hour)
		if template.ExtKeyUsage == nil {
			template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}
		leaf := signAnything(t, root.certificate, root.key, template, newKey(t))
		// Path building checks every name in the leaf, not only the one asked for.
		if _, err := leaf.Verify(options(root, "", template.ExtKeyUsage[0])); err == nil {
			t.Errorf("%s: the authority may vouch for it", name)
		}
	}
	// A second authority below ours vouches for nothing.
	key := newKey(t)
	below := signAnything(t, root.certificate, root.key, &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: epoch, NotAfter: epoch.Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, Subject: pkix.Name{CommonName: "below"},
	}, key)
	leaf := signAnything(t, below, key, &x509.Certificate{
		SerialNumber: big.NewInt(3), NotBefore: epoch, NotAfter: epoch.Add(time.Hour), DNSNames: []string{TaskName(uid)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, newKey(t))
	o := options(root, TaskName(uid), x509.ExtKeyUsageServerAuth)
	o.Intermediates = x509.NewCertPool()
	o.Intermediates.AddCert(below)
	if _, err := leaf.Verify(o); err == nil {
		t.Error("an authority below ours vouches for a task")
	}
}

func signAnything(t *testing.T, parent *x509.Certificate, parentKey *ecdsa.PrivateKey, template *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func options(root *Root, name string, usage x509.ExtKeyUsage) x509.VerifyOptions {
	pool := x509.NewCertPool()
	pool.AddCert(root.certificate)
	return x509.VerifyOptions{Roots: pool, DNSName: name, CurrentTime: epoch.Add(time.Minute), KeyUsages: []x509.ExtKeyUsage{usage}}
}

func verify(root *Root, leaf *x509.Certificate, name string) error {
	_, err := leaf.Verify(options(root, name, x509.ExtKeyUsageServerAuth))
	return err
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newCSR(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return csr
}
