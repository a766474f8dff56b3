package standalone_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/standalone"
)

const granting = "task: {requester: bob}\nclientToken: secret\ngrant: {policy: {recording: {durability: Disk}}}\n"

func TestAGrantFileSaysHowToRecordAndByWhichKeyToSign(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "signing.key")
	if err := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := read(t, granting+fmt.Sprintf("recording: {directory: recordings, bestEffort: true, signingKey: %q}", key))
	if err != nil {
		t.Fatal(err)
	}
	source, err := standalone.NewSource(file, nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if how := source.Recording(); how.Durability != v1alpha1.DurabilityDisk || !how.BestEffort {
		t.Errorf("%+v", how)
	}
	statement := record.Statement{
		RequestUID: "standalone", Session: "s-1", Segment: 1, First: 1, Last: 2, Bytes: 10,
		Hash: strings.Repeat("ab", 32), Previous: strings.Repeat("0", 64),
	}
	signatures, err := source.Seal()(t.Context(), []record.Statement{statement})
	if err != nil || len(signatures) != 1 || signatures[0].Check([]ed25519.PublicKey{public}) != nil {
		t.Errorf("%+v, %v", signatures, err)
	}
}

func TestWithoutAKeyNobodySignsAndABrokenOneIsRefused(t *testing.T) {
	t.Parallel()
	file, err := read(t, granting)
	if err != nil {
		t.Fatal(err)
	}
	source, err := standalone.NewSource(file, nil, time.Now)
	if err != nil || source.Seal() != nil {
		t.Error("somebody signs:", err)
	}
	broken := filepath.Join(t.TempDir(), "broken.key")
	if err := os.WriteFile(broken, []byte("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{broken, broken + ".absent"} {
		file.Recording.SigningKey = key
		if _, err := standalone.NewSource(file, nil, time.Now); err == nil || strings.Contains(err.Error(), "c2VjcmV0") {
			t.Errorf("%s: %v", key, err)
		}
	}
}
