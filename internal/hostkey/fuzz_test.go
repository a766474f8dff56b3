package hostkey

import (
	"bytes"
	"testing"

	"golang.org/x/crypto/ssh"
)

// What a server shows is any bytes; whatever they are, the check ends, and takes no
// key but the pinned one, nor a certificate of another authority.
func FuzzWhatAServerShowsIsTakenOnlyIfItIsKnown(f *testing.F) {
	authority, host := newSigner(f), newSigner(f)
	f.Add(host.PublicKey().Marshal())
	f.Add(certify(f, authority, host, nil).PublicKey().Marshal())
	f.Add(certify(f, authority, newSigner(f), nil).PublicKey().Marshal())
	callback, _, err := Callback("bastion.example.com", []string{line(host.PublicKey())}, []string{line(authority.PublicKey())}, atNoon)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		shown, err := ssh.ParsePublicKey(wire)
		if err != nil {
			return
		}
		if err := callback("x:22", nil, shown); err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		certificate, ok := shown.(*ssh.Certificate)
		switch {
		case !ok && !bytes.Equal(shown.Marshal(), host.PublicKey().Marshal()):
			t.Errorf("key %x was taken", wire)
		case ok && !bytes.Equal(certificate.Key.Marshal(), host.PublicKey().Marshal()) &&
			!bytes.Equal(certificate.SignatureKey.Marshal(), authority.PublicKey().Marshal()):
			t.Errorf("certificate %x was taken", wire)
		}
	})
}

func FuzzALineIsAKeyOrAnError(f *testing.F) {
	f.Add(line(newSigner(f).PublicKey()))
	f.Add("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAwEAAQ==")
	f.Add(`command="x" ssh-ed25519 AAAA` + "\n#")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := Parse(text)
		if err != nil {
			return
		}
		if again, err := Parse(line(key)); err != nil || !bytes.Equal(again.Marshal(), key.Marshal()) {
			t.Errorf("%q is read as %q, and that is not (%v)", text, line(key), err)
		}
	})
}
