package ssh

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"net"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

// fake is a target on x/crypto that does what no sshd does.
type fake struct {
	upstream *grant.SSHUpstream
	// accepted are its connections.
	accepted chan *fakeConn
}

type fakeConn struct {
	*ssh.ServerConn
	network  net.Conn
	channels <-chan ssh.NewChannel
	requests <-chan *ssh.Request
}

func newSigner(t testing.TB) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	made, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// newFake starts a target that takes the shared key; its connections are the test's to
// serve.
func newFake(t testing.TB, change ...func(*ssh.ServerConfig)) *fake {
	t.Helper()
	host := newSigner(t)
	config := &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }}
	config.AddHostKey(host)
	for _, apply := range change {
		apply(config)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{accepted: make(chan *fakeConn, 8), upstream: &grant.SSHUpstream{
		Host: "127.0.0.1", Addresses: []string{"127.0.0.1"}, Port: int32(listener.Addr().(*net.TCPAddr).Port), //nolint:forcetypeassert // it is
		HostKeys:   []string{strings.TrimSpace(string(ssh.MarshalAuthorizedKey(host.PublicKey())))},
		PrivateKey: target.secret,
	}}
	var serving sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		_ = listener.Close()
		cancel()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
				server, channels, requests, err := ssh.NewServerConn(conn, config)
				if err == nil {
					f.accepted <- &fakeConn{server, conn, channels, requests}
					_ = server.Wait()
				}
			})
		}
	})
	return f
}

// faced is a bench in front of a fake, with a client that is in.
func faced(t *testing.T, policy v1alpha1.AccessPolicySpec, change ...func(*Options, *session.Options)) (*bench, *ssh.Client, *fakeConn) {
	t.Helper()
	f := newFake(t)
	b := serve(t, change...)
	b.Update(sessiontest.GrantedSSH(policy, f.upstream)(b.Key))
	client := b.connect(t)
	return b, client, <-f.accepted
}

// sessions serves the session channels of a connection.
func (f *fakeConn) sessions(serve func(ssh.Channel, <-chan *ssh.Request)) {
	go ssh.DiscardRequests(f.requests)
	go func() {
		for asked := range f.channels {
			channel, requests, err := asked.Accept()
			if err != nil {
				return
			}
			go serve(channel, requests)
		}
	}()
}
