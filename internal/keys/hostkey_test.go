package keys

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func TestATasksHostKeyIsTheSameOnEveryReplicaAndAfterARestart(t *testing.T) {
	t.Parallel()
	root, err := Generate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	data, err := root.Data()
	if err != nil {
		t.Fatal(err)
	}
	restarted, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	private, public, err := root.HostKey("uid-1")
	if err != nil {
		t.Fatal(err)
	}
	again, publicAgain, err := restarted.HostKey("uid-1")
	if err != nil || again != private || publicAgain != public {
		t.Errorf("%v: %s, then %s", err, public, publicAgain)
	}
	signer, err := ssh.ParsePrivateKey([]byte(private.Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	if shown := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))); shown != public || signer.PublicKey().Type() != ssh.KeyAlgoED25519 {
		t.Errorf("%s is not the public half %s", shown, public)
	}
	if _, other, err := root.HostKey("uid-2"); err != nil || other == public {
		t.Errorf("another task's: %s, %v", other, err)
	}
}
