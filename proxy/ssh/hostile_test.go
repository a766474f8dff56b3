package ssh

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

// reverseChannels are what a target may open where it was asked to.
func reverseChannels() map[string][]byte {
	return map[string][]byte{
		"forwarded-tcpip":                   ssh.Marshal(&tcpipChannel{"127.0.0.1", 8080, "127.0.0.1", 5}),
		"forwarded-streamlocal@openssh.com": ssh.Marshal(&forwardedSocket{Path: "/tmp/s"}),
		"x11":                               ssh.Marshal(&x11Channel{"127.0.0.1", 6010}),
		"auth-agent@openssh.com":            nil,
		"session":                           nil,
		"direct-tcpip":                      ssh.Marshal(&tcpipChannel{"127.0.0.1", 22, "127.0.0.1", 5}),
		"tun@openssh.com":                   nil,
	}
}

func TestSSH4_WhatTheTargetOpensUnaskedNeverReachesTheClient(t *testing.T) {
	t.Parallel()
	needTarget(t)
	_, client, hostile := faced(t, unrestricted())
	for kind, payload := range reverseChannels() {
		came := client.HandleChannelOpen(kind)
		_, _, err := hostile.OpenChannel(kind, payload)
		var refused *ssh.OpenChannelError
		if !errors.As(err, &refused) || !strings.Contains(refused.Message, "not asked for") {
			t.Errorf("%s: %v", kind, err)
		}
		if len(came) > 0 {
			t.Errorf("%s reached the client", kind)
		}
	}
	for _, kind := range []string{"hostkeys-00@openssh.com", "tcpip-forward", "no-more-sessions@openssh.com"} {
		if done, _, err := hostile.SendRequest(kind, true, nil); err != nil || done {
			t.Errorf("%s: %t, %v", kind, done, err)
		}
	}
	if done, _, err := hostile.SendRequest(keepalive, true, nil); err != nil || !done {
		t.Errorf("the target's keepalive is not answered: %t, %v", done, err)
	}
}

func TestSSH3_AForwardedConnectionMustBeOfAListenerThatWasAskedFor(t *testing.T) {
	t.Parallel()
	needTarget(t)
	_, client, hostile := faced(t, granting(v1alpha1.SSHGrant{Listeners: []v1alpha1.ForwardGrant{{Host: "127.0.0.1"}}}))
	go func() {
		for request := range hostile.requests {
			// The target picks the port.
			_ = request.Reply(true, ssh.Marshal(&forwardedPort{8080}))
		}
	}()
	listener, err := client.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if port := listener.Addr().(*net.TCPAddr).Port; port != 8080 { //nolint:forcetypeassert // it is
		t.Errorf("the client is told port %d", port)
	}
	for name, from := range map[string]tcpipChannel{
		"another port": {"127.0.0.1", 8081, "127.0.0.1", 5}, "another host": {"0.0.0.0", 8080, "127.0.0.1", 5},
		"port 0": {"127.0.0.1", 0, "127.0.0.1", 5},
	} {
		if _, _, err := hostile.OpenChannel("forwarded-tcpip", ssh.Marshal(&from)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	open := func() error {
		channel, requests, err := hostile.OpenChannel("forwarded-tcpip", ssh.Marshal(&tcpipChannel{"127.0.0.1", 8080, "127.0.0.1", 5}))
		if err == nil {
			go ssh.DiscardRequests(requests)
			_ = channel.Close()
		}
		return err
	}
	go func() {
		if conn, err := listener.Accept(); err == nil {
			_ = conn.Close()
		}
	}()
	if err := open(); err != nil {
		t.Errorf("the listener's own connection: %v", err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if open() == nil {
		t.Error("a connection came through after the listener was cancelled")
	}
}

func TestSSH4_TheAgentIsReachedWhileItIsForwardedAndNotAfterwards(t *testing.T) {
	t.Parallel()
	b := granted(t, granting(v1alpha1.SSHGrant{
		AgentForwarding: true, Commands: []v1alpha1.CommandGrant{{Argv: []string{"ssh-add", "-l"}}},
	}))
	client := b.connect(t)
	keys := agent.NewKeyring()
	if err := keys.Add(agent.AddedKey{PrivateKey: sessiontest.NewKey(t, "agent").Certificate.PrivateKey, Comment: "of the client"}); err != nil {
		t.Fatal(err)
	}
	if err := agent.ForwardToAgent(client, keys); err != nil {
		t.Fatal(err)
	}
	list := func(forward bool) string {
		s, err := client.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		if forward {
			if err := agent.RequestAgentForwarding(s); err != nil {
				t.Fatal(err)
			}
		}
		out, _ := s.CombinedOutput("ssh-add -l")
		return string(out)
	}
	if out := list(true); !strings.Contains(out, "of the client") {
		t.Errorf("the agent is not reached: %s", out)
	}
	if out := list(false); strings.Contains(out, "of the client") {
		t.Errorf("the agent is reached unasked: %s", out)
	}
}

func TestSSH4_ASingleDisplayConnectionIsOne(t *testing.T) {
	t.Parallel()
	needTarget(t)
	_, client, hostile := faced(t, granting(v1alpha1.SSHGrant{X11Forwarding: true}))
	hostile.sessions(func(channel ssh.Channel, requests <-chan *ssh.Request) {
		for request := range requests {
			_ = request.Reply(true, nil)
		}
	})
	came := client.HandleChannelOpen("x11")
	go func() {
		for asked := range came {
			if channel, requests, err := asked.Accept(); err == nil {
				go ssh.DiscardRequests(requests)
				go func() { _, _ = io.Copy(channel, channel) }()
			}
		}
	}()
	channel, requests, err := client.OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(requests)
	if done, err := channel.SendRequest("x11-req", true, ssh.Marshal(&x11Request{Single: true, Protocol: "p", Cookie: "c"})); err != nil || !done {
		t.Fatal(done, err)
	}
	payload := ssh.Marshal(&x11Channel{"127.0.0.1", 6010})
	display, answers, err := hostile.OpenChannel("x11", payload)
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(answers)
	if _, err := display.Write([]byte("draw")); err != nil {
		t.Fatal(err)
	}
	back := make([]byte, 4)
	if _, err := io.ReadFull(display, back); err != nil || string(back) != "draw" {
		t.Errorf("%q, %v", back, err)
	}
	if _, _, err := hostile.OpenChannel("x11", payload); err == nil {
		t.Error("a second connection was let through")
	}
}

func TestSSH5_ALostTargetEndsTheSessionWithALine(t *testing.T) {
	t.Parallel()
	needTarget(t)
	for name, lose := range map[string]func(*fakeConn){
		"its connection is cut": func(f *fakeConn) { _ = f.network.Close() },
		"it speaks nonsense":    func(f *fakeConn) { _, _ = f.network.Write(bytes.Repeat([]byte{1}, 64)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, client, hostile := faced(t, unrestricted())
			started := make(chan struct{})
			hostile.sessions(func(_ ssh.Channel, requests <-chan *ssh.Request) {
				for request := range requests {
					_ = request.Reply(true, nil)
					close(started)
				}
			})
			s, err := client.NewSession()
			if err != nil {
				t.Fatal(err)
			}
			var stderr bytes.Buffer
			s.Stderr = &stderr
			if err := s.Start("sleep 100"); err != nil {
				t.Fatal(err)
			}
			<-started
			lose(hostile)
			if err := s.Wait(); err == nil || !strings.Contains(stderr.String(), "connection to the target was lost") {
				t.Errorf("%v: %q", err, stderr.String())
			}
			if err := client.Wait(); err == nil {
				t.Error("the client's connection goes on")
			}
		})
	}
}

func TestSSH5_AStalledTargetHoldsBackItsClientAndEndsWithTheTask(t *testing.T) {
	t.Parallel()
	needTarget(t)
	b, client, hostile := faced(t, unrestricted())
	hostile.sessions(func(_ ssh.Channel, requests <-chan *ssh.Request) {
		// It takes the program, and reads nothing.
		for request := range requests {
			_ = request.Reply(true, nil)
		}
	})
	s, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start("cat"); err != nil {
		t.Fatal(err)
	}
	written := make(chan int64, 1)
	go func() {
		n, _ := io.Copy(in, io.LimitReader(zeros{}, 1<<30))
		written <- n
	}()
	select {
	case n := <-written:
		t.Fatalf("%d bytes went to a target that reads none", n)
	case <-time.After(500 * time.Millisecond):
	}
	b.Update(sessiontest.Ended(b.Key))
	// Two windows of 2 MiB, and a chunk.
	if n := <-written; n > 5<<20 {
		t.Errorf("%d bytes were taken", n)
	}
	if err := client.Wait(); err == nil {
		t.Error("the client's connection goes on")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestSSH4_AnUnknownHostKeyEndsTheConnection(t *testing.T) {
	t.Parallel()
	needTarget(t)
	f := newFake(t)
	f.upstream.HostKeys = []string{strings.TrimSpace(string(ssh.MarshalAuthorizedKey(newSigner(t).PublicKey())))}
	b := serve(t)
	b.Update(sessiontest.GrantedSSH(unrestricted(), f.upstream)(b.Key))
	var banner string
	c := config(t, b.Key)
	c.BannerCallback = func(message string) error { banner += message; return nil }
	if _, err := ssh.Dial("tcp", b.address, c); err == nil || !strings.Contains(banner, "SHA256:") {
		t.Errorf("%v: %q", err, banner)
	}
	if len(f.accepted) != 0 {
		t.Error("the credential was shown to another server")
	}
}
