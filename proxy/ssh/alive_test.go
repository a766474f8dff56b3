package ssh

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// sshd asks on a channel that is open whether its client is alive (ClientAliveInterval),
// and hangs up where it hears nothing.
func TestAHeldProgramsTargetHearsThatItIsAlive(t *testing.T) {
	t.Parallel()
	needTarget(t)
	p := unrestricted()
	p.Rules = []v1alpha1.Rule{{Name: "programs", When: `action.kind == "exec"`, Effect: v1alpha1.EffectHold}}
	b, client, hostile := faced(t, p)
	channels := make(chan ssh.Channel, 1)
	hostile.sessions(func(channel ssh.Channel, requests <-chan *ssh.Request) {
		channels <- channel
		for request := range requests {
			_ = request.Reply(true, nil)
			if request.Type == "exec" {
				_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(&exitStatus{7}))
				_ = channel.Close()
			}
		}
	})
	s, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Setenv("LC_ALL", "C"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run("id") }()
	held := b.Reviewers.Next(t)
	channel := <-channels
	alive := make(chan bool, 1)
	go func() {
		ok := true
		for range 40 {
			answered, err := channel.SendRequest(keepalive, true, nil)
			ok = ok && answered && err == nil
		}
		alive <- ok
	}()
	select {
	case ok := <-alive:
		if !ok {
			t.Error("the target hears that its client is not alive")
		}
	case <-time.After(patience / 3):
		t.Error("the target hears nothing while the program is held")
	}
	held.Approve()
	var status *ssh.ExitError
	if err := <-done; !errors.As(err, &status) || status.ExitStatus() != 7 {
		t.Errorf("the program ended with %v", err)
	}
}
