package ssh

import (
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
