package ssh

import (
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// A break does to some systems what no signal does (RFC 4335): it is judged, and recorded.
func TestABreakIsJudgedAsASignal(t *testing.T) {
	t.Parallel()
	needTarget(t)
	for effect, passes := range map[v1alpha1.Effect]bool{v1alpha1.EffectAllow: true, v1alpha1.EffectDeny: false} {
		p := unrestricted()
		p.Rules = []v1alpha1.Rule{
			{Name: "breaks", When: `action.kind == "signal" && action.name == "BREAK"`, Effect: effect},
			{Name: "programs", When: `action.kind == "exec"`, Effect: v1alpha1.EffectAllow},
		}
		b, client, hostile := faced(t, p)
		came := make(chan string, 8)
		hostile.sessions(func(_ ssh.Channel, requests <-chan *ssh.Request) {
			for request := range requests {
				came <- request.Type
				_ = request.Reply(true, nil)
			}
		})
		s := newSession(t, client)
		if err := s.Start("console"); err != nil {
			t.Fatal(err)
		}
		if done, err := s.SendRequest("break", true, ssh.Marshal(&struct{ Length uint32 }{500})); err != nil || done != passes {
			t.Errorf("%s: %t, %v", effect, done, err)
		}
		if kind, verdict := b.verdict(t, "break"); kind != "signal" || verdict != string(effect) {
			t.Errorf("recorded as %s, %s", kind, verdict)
		}
		if got := len(came); got != 1 && !passes || got != 2 && passes {
			t.Errorf("%s: %d requests came to the target", effect, got)
		}
	}
}

// What concerns the whole connection is told on a channel that may be asked for something
// at that moment.
func TestAClientIsToldOfItsConnectionWhileItAsksForATerminal(t *testing.T) {
	t.Parallel()
	p := granting(v1alpha1.SSHGrant{Terminal: true, Listeners: []v1alpha1.ForwardGrant{{Host: "127.0.0.1"}}})
	p.Rules = []v1alpha1.Rule{{Name: "listeners", When: `action.kind == "tcpip-forward"`, Effect: v1alpha1.EffectDeny}}
	client := granted(t, p).connect(t)
	channel, requests, err := client.OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(requests)
	refused := make(chan error, 1)
	go func() {
		_, err := client.Listen("tcp", "127.0.0.1:0")
		refused <- err
	}()
	if done, err := channel.SendRequest("pty-req", true, ssh.Marshal(&ptyRequest{Term: "xterm", Columns: 80, Rows: 24, Modes: "\x00"})); err != nil || !done {
		t.Error(done, err)
	}
	if err := <-refused; err == nil {
		t.Error("the target listens")
	}
	told := make([]byte, 64)
	if n, err := channel.Stderr().Read(told); err != nil || !strings.Contains(string(told[:n]), "sallyport: ") {
		t.Errorf("%q, %v", told[:n], err)
	}
	_ = channel.Close()
}
