package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/control/controlpb"
	"github.com/sallyport/sallyport/internal/control/server"
)

// dial is a proxy that does not keep to the contract.
func (w *world) dial(config *tls.Config) controlpb.ControlClient {
	w.t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(w.root.CA())
	config.RootCAs, config.ServerName = pool, control.ServerName
	conn, err := grpc.NewClient("passthrough:///"+w.address, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return controlpb.NewControlClient(conn)
}

func as(t *testing.T, token string) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

func (w *world) attach(token string) controlpb.Control_AttachClient {
	w.t.Helper()
	stream, err := w.dial(&tls.Config{}).Attach(as(w.t, token))
	if err != nil {
		w.t.Fatal(err)
	}
	return stream
}

// refusal reads until the stream ends, and says how.
func refusal(stream controlpb.Control_AttachClient) codes.Code {
	for {
		_, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return codes.OK
		}
		if err != nil {
			return status.Code(err)
		}
	}
}

func hello(t *testing.T) *controlpb.Hello {
	t.Helper()
	opener, err := control.NewOpener()
	if err != nil {
		t.Fatal(err)
	}
	return &controlpb.Hello{SigningRequest: signingRequest(t), SealingKey: opener.Public()}
}

func said(m any) *controlpb.ProxyMessage {
	switch m := m.(type) {
	case *controlpb.Hello:
		return &controlpb.ProxyMessage{Message: &controlpb.ProxyMessage_Hello{Hello: m}}
	case *controlpb.Report:
		return &controlpb.ProxyMessage{Message: &controlpb.ProxyMessage_Report{Report: m}}
	case *controlpb.Heartbeat:
		return &controlpb.ProxyMessage{Message: &controlpb.ProxyMessage_Heartbeat{Heartbeat: m}}
	}
	return &controlpb.ProxyMessage{}
}

func TestAHostileProxyIsCutOff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		says []any
		want codes.Code
	}{
		"no hello":                    {[]any{&controlpb.Report{}}, codes.InvalidArgument},
		"a second hello":              {[]any{hello(t), hello(t)}, codes.InvalidArgument},
		"an empty message":            {[]any{hello(t), nil}, codes.InvalidArgument},
		"a broken sealing key":        {[]any{&controlpb.Hello{SigningRequest: signingRequest(t), SealingKey: []byte{4, 1}}}, codes.InvalidArgument},
		"a broken signing request":    {[]any{&controlpb.Hello{SigningRequest: []byte("x"), SealingKey: hello(t).SealingKey}}, codes.InvalidArgument},
		"a message over the limit":    {[]any{hello(t), &controlpb.Report{Isolation: strings.Repeat("x", 1<<20)}}, codes.ResourceExhausted},
		"a report that is none":       {[]any{hello(t), &controlpb.Report{Total: -1}}, codes.InvalidArgument},
		"control sequences in a line": {[]any{hello(t), &controlpb.Report{Isolation: "\x1b[2J"}}, codes.InvalidArgument},
		"a path for a session":        {[]any{hello(t), &controlpb.Report{Heads: []*controlpb.Head{{Session: "../x", Hash: strings.Repeat("a", 64)}}}}, codes.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, server.Timing{})
			stream := w.attach("mine")
			for _, m := range c.says {
				if err := stream.Send(said(m)); err != nil && !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
			}
			if got := refusal(stream); got != c.want {
				t.Fatalf("it was told %s, want %s", got, c.want)
			}
		})
	}
}

func TestAFloodOfMessagesEndsTheStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	stream := w.attach("mine")
	if err := stream.Send(said(hello(t))); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		if stream.Send(said(&controlpb.Heartbeat{Sequence: uint64(i)})) != nil {
			break
		}
	}
	if got := refusal(stream); got != codes.ResourceExhausted {
		t.Fatalf("it was told %s", got)
	}
}

func TestASilentProxyIsCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{Silence: 200 * time.Millisecond})
	stream := w.attach("mine")
	if err := stream.Send(said(hello(t))); err != nil {
		t.Fatal(err)
	}
	if got := refusal(stream); got != codes.DeadlineExceeded {
		t.Fatalf("it was told %s", got)
	}
}

func TestAStreamEndsAfterItsLifetime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{Lifetime: 200 * time.Millisecond})
	stream := w.attach("mine")
	if err := stream.Send(said(hello(t))); err != nil {
		t.Fatal(err)
	}
	if got := refusal(stream); got != codes.Unavailable {
		t.Fatalf("it was told %s", got)
	}
}

func TestAProxyThatNeverSaysDoneIsLeftAfterAWhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{Drain: 200 * time.Millisecond})
	w.tasks.set(func(k *tasks) { k.states[mine] = closed(mine) })
	stream := w.attach("mine")
	if err := stream.Send(said(hello(t))); err != nil {
		t.Fatal(err)
	}
	if got := refusal(stream); got != codes.OK {
		t.Fatalf("it was told %s", got)
	}
}

func TestWithoutATokenNothingIsAnswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	proxy := w.dial(&tls.Config{})
	for name, ctx := range map[string]context.Context{
		"none":       context.Background(),
		"basic":      metadata.AppendToOutgoingContext(context.Background(), "authorization", "Basic bWluZQ=="),
		"two":        metadata.AppendToOutgoingContext(as(t, "mine"), "authorization", "Bearer others"),
		"empty":      as(t, ""),
		"an unknown": as(t, "nobody's"),
	} {
		_, err := proxy.AuthenticateClient(ctx, &controlpb.AuthenticateClientRequest{})
		if status.Code(err) != codes.Unauthenticated {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	_, err := w.dial(&tls.Config{MaxVersion: tls.VersionTLS12}).AuthenticateClient(as(t, "mine"), &controlpb.AuthenticateClientRequest{})
	if status.Code(err) != codes.Unavailable || w.tokens.count() != 0 {
		t.Fatalf("TLS 1.2 was spoken: %v", err)
	}
}

func TestAManagerStopsThoughProxiesAreAttached(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	p := w.proxy(w.options("mine"))
	p.next(t)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		w.stop()
	}()
	gomega.NewWithT(t).Eventually(stopped).WithTimeout(5 * time.Second).Should(gomega.BeClosed())
}

func signingRequest(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return csr
}
