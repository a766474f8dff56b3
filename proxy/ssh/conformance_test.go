package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-logr/logr"
	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/session/conformance"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

func TestTheEngineObeysTheLaws(t *testing.T) {
	t.Parallel()
	conformance.Run(t, func(t testing.TB) conformance.Driver { return newDriver(t) })
}

// driver makes commands that leave a file behind, which tells whether they ran.
type driver struct {
	engine *Engine
	dialer *Dialer
	mark   string
}

var drivers atomic.Int64

func newDriver(t testing.TB) *driver {
	needTarget(t)
	return &driver{engine: New(Options{Log: logr.Discard()}), dialer: &Dialer{}, mark: fmt.Sprintf("law%d-%d", os.Getpid(), drivers.Add(1))}
}

func (d *driver) Engine() session.Engine { return d.engine }

func (d *driver) Policy() v1alpha1.AccessPolicySpec {
	return granting(v1alpha1.SSHGrant{Commands: []v1alpha1.CommandGrant{{Argv: []string{"touch", d.mark + "-*"}}}})
}

func (d *driver) Operations() conformance.Operations {
	return conformance.Operations{
		Allowed: "touch " + d.mark + "-one", AllowedToo: "touch " + d.mark + "-two",
		Refused: "touch other-" + d.mark, NotUnderstood: "touch " + d.mark + "-$(id)",
	}
}

// Reached looks for the file.
func (d *driver) Reached(text string) bool {
	name := strings.TrimPrefix(text, "touch ")
	_, err := os.Stat(filepath.Join(target.server.Home("deploy"), name))
	return err == nil
}

func (d *driver) Dial(ctx context.Context, g grant.Grant, attributes map[string]string) (net.Conn, error) {
	g.SSH = upstream()
	return d.dialer.Dial(ctx, g, attributes)
}

func (d *driver) Connect(t testing.TB, conn net.Conn, key sessiontest.Key) (conformance.Client, error) {
	var banners strings.Builder
	config := config(t, key)
	config.BannerCallback = func(message string) error {
		banners.WriteString(message)
		return nil
	}
	c, channels, requests, err := ssh.NewClientConn(conn, "proxy", config)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, banners.String())
	}
	return &sshClient{Client: ssh.NewClient(c, channels, requests), network: conn}, nil
}

type sshClient struct {
	*ssh.Client
	network net.Conn

	mu      sync.Mutex
	session *ssh.Session
}

func (c *sshClient) Do(text string) error {
	s, err := c.NewSession()
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	c.mu.Lock()
	c.session = s
	c.mu.Unlock()
	var stderr bytes.Buffer
	s.Stderr = &stderr
	if err := s.Run(text); err != nil {
		return fmt.Errorf("%w: %s", err, stderr.String())
	}
	return nil
}

// Cancel is what Ctrl-C is, without a terminal.
func (c *sshClient) Cancel() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session.Signal(ssh.SIGINT)
}

func (c *sshClient) Closed() error {
	if err := c.Wait(); err == nil {
		return errors.New("the connection ended without an error")
	}
	return nil
}

// Close leaves without a word, also while Do runs.
func (c *sshClient) Close() error { return c.network.Close() }
