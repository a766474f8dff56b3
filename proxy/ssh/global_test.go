package ssh

import (
	"net"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Global requests are answered in their order, and one of them may wait for reviewers for
// long: the connection goes on meanwhile.
func TestAHeldListenerKeepsNothingElseWaiting(t *testing.T) {
	t.Parallel()
	p := granting(v1alpha1.SSHGrant{Listeners: []v1alpha1.ForwardGrant{{Host: "127.0.0.1"}}, Commands: words("true")})
	p.Rules = holding(`action.kind == "tcpip-forward"`)
	b := granted(t, p)
	client := b.connect(t)
	type answer struct {
		net.Listener
		err error
	}
	answered := make(chan answer, 1)
	go func() {
		listener, err := client.Listen("tcp", "127.0.0.1:0")
		answered <- answer{listener, err}
	}()
	held := b.Reviewers.Next(t)
	for range maxGlobals / 2 {
		if _, _, err := client.SendRequest(keepalive, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := newSession(t, client).Run("true"); err != nil {
		t.Fatal("a command beside it:", err)
	}
	held.Approve()
	a := <-answered
	if a.err != nil {
		t.Fatal(a.err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	// Its end is recorded as its beginning was.
	var tags []string
	for _, event := range b.events(t) {
		if event.Result != nil {
			tags = append(tags, event.Result.Tag)
		}
	}
	if got := strings.Join(tags, ", "); !strings.Contains(got, "listening, to be cancelled") {
		t.Error("results:", got)
	}
}

func TestWhatWaitsBehindAHeldListenerIsSmall(t *testing.T) {
	t.Parallel()
	r := &ssh.Request{Type: strings.Repeat("t", 100_000), Payload: make([]byte, 100_000)}
	if shorten(r); len(r.Type)+len(r.Payload) > maxWords {
		t.Errorf("%d bytes wait", len(r.Type)+len(r.Payload))
	}
	whole := ssh.Marshal(&forwardRequest{strings.Repeat("h", 255), 22})
	r = &ssh.Request{Type: "tcpip-forward", Payload: whole}
	if shorten(r); r.Type != "tcpip-forward" || len(r.Payload) != len(whole) {
		t.Error("a listener is cut short")
	}
}
