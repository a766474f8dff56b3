package conformance_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/session/conformance"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

func TestTheSmallestEngineObeysTheLaws(t *testing.T) {
	t.Parallel()
	conformance.Run(t, func(testing.TB) conformance.Driver { return &lines{} })
}

// lines is an engine, by the name of one that policies know, whose operations are lines "read RELATION", and its driver. The
// target answers every line with ok.
type lines struct {
	mu      sync.Mutex
	reached strings.Builder
}

func (l *lines) Engine() session.Engine            { return l }
func (l *lines) Protocol() string                  { return "postgres" }
func (l *lines) Policy() v1alpha1.AccessPolicySpec { return sessiontest.ReadOrders() }

func (l *lines) Operations() conformance.Operations {
	return conformance.Operations{
		Allowed: "read orders", AllowedToo: "read orders again", Refused: "read customers", NotUnderstood: "fly",
	}
}

func (l *lines) Reached(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.reached.String(), text+"\n")
}

func (l *lines) Dial(context.Context, grant.Grant, map[string]string) (net.Conn, error) {
	near, far := net.Pipe()
	go func() {
		for in := bufio.NewScanner(far); in.Scan(); {
			l.mu.Lock()
			l.reached.WriteString(in.Text() + "\n")
			l.mu.Unlock()
			if _, err := io.WriteString(far, "ok\n"); err != nil {
				return
			}
		}
	}()
	return near, nil
}

func (l *lines) Serve(ctx context.Context, client net.Conn, s *session.Session) error {
	secured := tls.Server(client, s.TLS())
	err := l.serve(ctx, secured, s)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if err != nil && !errors.Is(err, io.EOF) {
		fmt.Fprintf(secured, "error %v\n", err)
	}
	return err
}

func (l *lines) serve(ctx context.Context, client *tls.Conn, s *session.Session) error {
	if err := client.HandshakeContext(ctx); err != nil {
		return err
	}
	certificates := client.ConnectionState().PeerCertificates
	if len(certificates) == 0 {
		return session.ErrNotAuthenticated
	}
	if err := s.AuthenticateKey(ctx, certificates[0].PublicKey); err != nil {
		return err
	}
	if err := s.Begin(ctx, nil); err != nil {
		return err
	}
	err := s.AwaitGrant(ctx, func(message string) error {
		_, err := fmt.Fprintf(client, "wait %s\n", message)
		return err
	})
	if err != nil {
		return err
	}
	upstream, err := s.Dial(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(client, "ready\n"); err != nil {
		return err
	}
	return l.relay(ctx, bufio.NewReader(client), client, upstream, s)
}

func (l *lines) relay(ctx context.Context, in *bufio.Reader, client io.Writer, upstream net.Conn, s *session.Session) error {
	ctx, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	typed := &typing{lines: make(chan string), cancelled: make(chan struct{})}
	go typed.read(ctx, in, leave)
	answers := bufio.NewReader(upstream)
	for {
		var line string
		select {
		case line = <-typed.lines:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		_, err := s.Admit(ctx, session.Operation{Text: line, Action: action(line), Hold: &session.Hold{
			Tell: func(message string) error {
				_, err := fmt.Fprintf(client, "held %s\n", message)
				return err
			},
			Cancelled: typed.next(),
		}})
		var refusal *session.Refusal
		switch {
		case errors.As(err, &refusal), errors.Is(err, session.ErrWithdrawn):
			if _, err := fmt.Fprintf(client, "refused %v\n", err); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		if _, err := io.WriteString(upstream, line); err != nil {
			return err
		}
		answer, err := answers.ReadString('\n')
		if err != nil {
			return err
		}
		if _, err := io.WriteString(client, answer); err != nil {
			return err
		}
	}
}

// typing is what the client says, read also while an operation is held.
type typing struct {
	lines chan string

	mu        sync.Mutex
	cancelled chan struct{}
}

// next is closed by the next cancel.
func (t *typing) next() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cancelled = make(chan struct{})
	return t.cancelled
}

func (t *typing) read(ctx context.Context, in *bufio.Reader, leave context.CancelCauseFunc) {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			leave(err)
			return
		}
		if line == "cancel\n" {
			t.mu.Lock()
			close(t.cancelled)
			t.mu.Unlock()
			continue
		}
		select {
		case t.lines <- line:
		case <-ctx.Done():
			return
		}
	}
}

func action(line string) policy.Action {
	words := strings.Fields(line)
	if len(words) < 2 || words[0] != "read" {
		return policy.Action{Protocol: "postgres", Statements: 1, Unknown: "no such verb"}
	}
	return policy.Action{
		Protocol: "postgres", Kind: "select", Statements: 1,
		Access: []policy.Access{{Schema: "public", Name: words[1], Privilege: v1alpha1.PrivilegeSelect}},
	}
}

func (l *lines) Connect(_ testing.TB, conn net.Conn, key sessiontest.Key) (conformance.Client, error) {
	secured := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{key.Certificate}})
	client := &lineClient{secured, bufio.NewReader(secured)}
	for {
		line, err := client.in.ReadString('\n')
		switch {
		case err != nil:
			return nil, err
		case line == "ready\n":
			return client, nil
		case strings.HasPrefix(line, "error "):
			return nil, errors.New(line)
		}
	}
}

type lineClient struct {
	conn *tls.Conn
	in   *bufio.Reader
}

func (c *lineClient) Do(text string) error {
	if _, err := io.WriteString(c.conn, text+"\n"); err != nil {
		return err
	}
	answer, err := c.in.ReadString('\n')
	for err == nil && strings.HasPrefix(answer, "held ") {
		answer, err = c.in.ReadString('\n')
	}
	if err == nil && answer != "ok\n" {
		return errors.New(answer)
	}
	return err
}

func (c *lineClient) Cancel() error {
	_, err := io.WriteString(c.conn, "cancel\n")
	return err
}

func (c *lineClient) Closed() error {
	_, err := io.Copy(io.Discard, c.in)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (c *lineClient) Close() error { return c.conn.NetConn().Close() }
