package krl

import (
	"crypto/ed25519"
	"crypto/rand"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newSigner(t testing.TB) ssh.Signer {
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

func newList(t testing.TB) *List {
	t.Helper()
	list, err := New("sallyport payments/bastion", noon)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// certificate writes one, and returns its file.
func certificate(t testing.TB, ca ssh.Signer, serial uint64, keyID string) string {
	t.Helper()
	c := &ssh.Certificate{
		Key: newSigner(t).PublicKey(), Serial: serial, CertType: ssh.UserCert, KeyId: keyID,
		ValidPrincipals: []string{"deploy"}, ValidAfter: uint64(noon.Unix()), ValidBefore: uint64(noon.Add(time.Minute).Unix()),
	}
	must(t, c.SignCert(rand.Reader, ca))
	return write(t, "cert.pub", ssh.MarshalAuthorizedKey(c))
}

func write(t testing.TB, name string, content []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	must(t, os.WriteFile(file, content, 0o600))
	return file
}

// keygen finds the oracle: OpenSSH's own reader.
func keygen(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("ssh-keygen")
	if err != nil && os.Getenv("SALLYPORT_ALLOW_MISSING") == "1" {
		t.Skip("SALLYPORT_ALLOW_MISSING=1: no ssh-keygen on PATH")
	}
	if err != nil {
		t.Fatal("no ssh-keygen on PATH: install Debian's openssh-client")
	}
	return path
}

// revoked asks ssh-keygen about a certificate.
func revoked(t testing.TB, list *List, certificate string) bool {
	t.Helper()
	out, err := exec.Command(keygen(t), "-Q", "-f", write(t, "krl", list.Marshal()), certificate).CombinedOutput()
	switch {
	case err == nil && strings.Contains(string(out), ": ok"):
		return false
	case err != nil && strings.Contains(string(out), ": REVOKED"):
		return true
	}
	t.Fatalf("ssh-keygen -Q: %v: %s", err, out)
	return false
}

func TestSSHKeygenReadsWhatIsRevokedByWhom(t *testing.T) {
	t.Parallel()
	ours, other := newSigner(t), newSigner(t)
	list := newList(t)
	for _, serial := range []uint64{1, 2, 3, 5, 64, 200, 1 << 40, 1<<40 + 3, math.MaxUint64} {
		must(t, list.RevokeSerial(ours.PublicKey(), serial))
	}
	must(t, list.RevokeRange(ours.PublicKey(), 10_000, 20_000))
	must(t, list.RevokeRange(ours.PublicKey(), 20_001, 20_100))
	must(t, list.RevokeKeyID(ours.PublicKey(), "sallyport-1"))
	must(t, list.RevokeSerial(other.PublicKey(), 77))
	for name, test := range map[string]struct {
		ca     ssh.Signer
		serial uint64
		keyID  string
		want   bool
	}{
		"the first":               {ours, 1, "x", true},
		"in a bitmap":             {ours, 5, "x", true},
		"not in the bitmap":       {ours, 4, "x", false},
		"the bitmap's end":        {ours, 64, "x", true},
		"in a list":               {ours, 200, "x", true},
		"large":                   {ours, 1 << 40, "x", true},
		"the largest":             {ours, math.MaxUint64, "x", true},
		"beside the largest":      {ours, math.MaxUint64 - 1, "x", false},
		"a range's start":         {ours, 10_000, "x", true},
		"before a range":          {ours, 9_999, "x", false},
		"where ranges touch":      {ours, 20_001, "x", true},
		"a range's end":           {ours, 20_100, "x", true},
		"after a range":           {ours, 20_101, "x", false},
		"by key ID":               {ours, 9, "sallyport-1", true},
		"key ID of another":       {other, 9, "sallyport-1", false},
		"serial of another":       {ours, 77, "x", false},
		"the other's":             {other, 77, "x", true},
		"without a serial number": {ours, 0, "x", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := revoked(t, list, certificate(t, test.ca, test.serial, test.keyID)); got != test.want {
				t.Errorf("revoked: %v, want %v", got, test.want)
			}
		})
	}
}

func TestSSHKeygenPrintsTheListAsItIs(t *testing.T) {
	t.Parallel()
	ca := newSigner(t).PublicKey()
	list := newList(t)
	must(t, list.RevokeSerial(ca, 7_000))
	must(t, list.RevokeSerial(ca, 9_000))
	must(t, list.RevokeRange(ca, 10_000, 20_000))
	must(t, list.RevokeRange(ca, 30_000, 30_001))
	must(t, list.RevokeKeyID(ca, "sallyport-1"))
	out, err := exec.Command(keygen(t), "-Q", "-l", "-f", write(t, "krl", list.Marshal())).CombinedOutput()
	if err != nil {
		t.Fatalf("ssh-keygen -Q -l: %v: %s", err, out)
	}
	var got []string
	for line := range strings.Lines(strings.ReplaceAll(string(out), `"`, "")) { // some versions quote the comment
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "# Generated at") {
			got = append(got, line)
		}
	}
	want := []string{
		"# KRL version 1772366400", "# Comment: sallyport payments/bastion", "# CA key ssh-ed25519 " + ssh.FingerprintSHA256(ca),
		"serial: 7000", "serial: 9000", "serial: 10000-20000", "serial: 30000-30001", "id: sallyport-1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAnEmptyListRevokesNothing(t *testing.T) {
	t.Parallel()
	if revoked(t, newList(t), certificate(t, newSigner(t), 1, "x")) {
		t.Error("revoked")
	}
}

func TestTheOrderOfEntriesDoesNotShow(t *testing.T) {
	t.Parallel()
	a, b := newSigner(t).PublicKey(), newSigner(t).PublicKey()
	one, other := newList(t), newList(t)
	must(t, one.RevokeSerial(a, 1))
	must(t, one.RevokeSerial(b, 2))
	must(t, one.RevokeSerial(b, 900))
	must(t, other.RevokeSerial(b, 900))
	must(t, other.RevokeSerial(b, 2))
	must(t, other.RevokeSerial(b, 2))
	must(t, other.RevokeSerial(a, 1))
	if diff := cmp.Diff(one.Marshal(), other.Marshal()); diff != "" {
		t.Error(diff)
	}
}

func TestWhatWouldRevokeTooMuchOrNothingIsRefused(t *testing.T) {
	t.Parallel()
	ca := newSigner(t)
	list := newList(t)
	certified, err := ssh.NewCertSigner(&ssh.Certificate{Key: ca.PublicKey()}, ca)
	must(t, err)
	for name, err := range map[string]error{
		"serial 0":                   list.RevokeSerial(ca.PublicKey(), 0),
		"a range from 0":             list.RevokeRange(ca.PublicKey(), 0, 5),
		"a range backwards":          list.RevokeRange(ca.PublicKey(), 5, 4),
		"no authority":               list.RevokeSerial(nil, 1),
		"a certificate as authority": list.RevokeSerial(certified.PublicKey(), 1),
		"an empty key ID":            list.RevokeKeyID(ca.PublicKey(), ""),
		"a long key ID":              list.RevokeKeyID(ca.PublicKey(), strings.Repeat("x", 256)),
		"a key ID with NUL":          list.RevokeKeyID(ca.PublicKey(), "x\x00"),
	} {
		if err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := New("two\nlines", noon); err == nil {
		t.Error("a comment of two lines: taken")
	}
	if _, err := New("", time.Time{}); err == nil {
		t.Error("no time: taken")
	}
}

func TestAListIsBounded(t *testing.T) {
	t.Parallel()
	ca, list := newSigner(t).PublicKey(), newList(t)
	for n := range uint64(maxEntries) {
		must(t, list.RevokeSerial(ca, 1+n*1_000_003))
	}
	if err := list.RevokeSerial(ca, 1); err == nil {
		t.Error("one more was taken")
	}
	if size := len(list.Marshal()); size > 1<<20 {
		t.Errorf("%d bytes", size)
	}
}

// TestEverySerialNumberIsInExactlyOnePart reads the parts back.
func TestEverySerialNumberIsInExactlyOnePart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var spans []span
		want := map[uint64]bool{}
		for range rapid.IntRange(1, 60).Draw(t, "spans") {
			low := rapid.Uint64Range(1, 40_000).Draw(t, "low")
			high := low + rapid.SampledFrom([]uint64{0, 0, 0, 1, 5, 127, 128, 129, 300}).Draw(t, "length")
			spans = append(spans, span{low, high})
			for serial := low; serial <= high; serial++ {
				want[serial] = true
			}
		}
		got := map[uint64]bool{}
		for _, part := range partition(merge(spans)) {
			for _, serial := range serials(part) {
				if got[serial] {
					t.Fatalf("%d is there twice", serial)
				}
				got[serial] = true
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}
