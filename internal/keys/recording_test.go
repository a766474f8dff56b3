package keys

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"testing"
)

func TestTheRecordingKeySurvivesItsSecret(t *testing.T) {
	t.Parallel()
	root := newRoot(t)
	data, err := root.Data()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(data)
	if err != nil || !root.RecordingKey().Equal(again.RecordingKey()) {
		t.Fatal("another key came back:", err)
	}
	encoded, err := root.RecordingPublic()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(encoded)
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if !ed25519.Verify(public.(ed25519.PublicKey), []byte("x"), ed25519.Sign(again.RecordingKey(), []byte("x"))) {
		t.Error("the public half is another key's")
	}
}

func TestAllReplicasFindTheSameRecordingKeyInAnOlderSecret(t *testing.T) {
	t.Parallel()
	data, err := newRoot(t).Data()
	if err != nil {
		t.Fatal(err)
	}
	delete(data, "recording.key")
	one, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	two, err := Parse(data)
	if err != nil || !one.RecordingKey().Equal(two.RecordingKey()) {
		t.Error("two replicas made two keys:", err)
	}
	if other := newRoot(t).RecordingKey(); other.Equal(one.RecordingKey()) {
		t.Error("two installations share a key")
	}
}

func TestARecordingKeyThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	data, err := newRoot(t).Data()
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string][]byte{"empty": {}, "of another kind": data["ca.key"]} {
		data["recording.key"] = value
		if _, err := Parse(data); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
