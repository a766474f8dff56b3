// Package login is a way into a task's proxy from this machine: a tunnel, and the
// files by which client and proxy know each other.
package login

import (
	"cmp"
	"context"
	"crypto"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/streaming/pkg/httpstream"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/clientkey"
	"github.com/sallyport/sallyport/internal/cli/task"
	"github.com/sallyport/sallyport/internal/cli/terminal"
	"github.com/sallyport/sallyport/internal/cli/tunnel"
)

// Login is an open way in. Close it.
type Login struct {
	Request *v1alpha1.TaskAccessRequest
	Tunnel  *tunnel.Tunnel
	// Folder holds the files, for this user alone.
	Folder string
}

// Plan is what a login needs.
type Plan struct {
	Client    client.Client
	Config    *rest.Config
	Request   *v1alpha1.TaskAccessRequest
	Key       crypto.Signer
	LocalPort int
	// User is the login on an SSH server; the request's first, if empty.
	User string
	// Timeout bounds the wait for the proxy.
	Timeout  time.Duration
	Progress *terminal.Progress
	// Report takes what goes wrong with single connections.
	Report func(error)
	Now    time.Time
}

// Key finds the private key that a request names: the file, if one is given, else
// the one that was made with the request.
func Key(r *v1alpha1.TaskAccessRequest, store clientkey.Store, file string) (crypto.Signer, error) {
	if file != "" {
		return clientkey.Load(file)
	}
	return store.Find(r.Spec.ClientKeys)
}

// Await waits until the request's proxy listens.
func Await(ctx context.Context, plan Plan) (*v1alpha1.TaskAccessRequest, error) {
	say := func(r *v1alpha1.TaskAccessRequest) string {
		why := cmp.Or(task.Condition(r, v1alpha1.ConditionProxyReady).Message, "the operator has not looked at it yet")
		return fmt.Sprintf("waiting for the proxy of %s: %s", r.Name, why)
	}
	listens := func(r *v1alpha1.TaskAccessRequest) (bool, error) {
		if task.Over(r) {
			return false, fmt.Errorf("%s is over: %s", r.Name, task.End(r))
		}
		if why := task.Unserved(r); why != "" {
			return false, fmt.Errorf("%s has no proxy: %s", r.Name, why)
		}
		return task.ProxyReady(r), nil
	}
	return task.Until(ctx, plan.Client, plan.Request, plan.Timeout, plan.Progress, say, listens)
}

// Open waits until the proxy listens, writes the files, and tunnels to it.
func Open(ctx context.Context, plan Plan) (*Login, error) {
	r, err := Await(ctx, plan)
	if err != nil {
		return nil, err
	}
	l := &Login{Request: r}
	if l.Folder, err = os.MkdirTemp("", "sallyport-"); err != nil {
		return nil, fmt.Errorf("make a folder for the client's files: %w", err)
	}
	if err := l.dig(ctx, plan); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Login) dig(ctx context.Context, plan Plan) (err error) {
	endpoint := l.Request.Status.Endpoint
	if l.Tunnel, err = reach(ctx, plan, endpoint, func(dialer httpstream.Dialer) (*tunnel.Tunnel, error) {
		return tunnel.Open(dialer, endpoint.Port, plan.LocalPort, plan.Report)
	}); err != nil {
		return err
	}
	if endpoint.HostKey != "" {
		return l.writeSSH(plan)
	}
	return l.write(plan.Key, plan.Now)
}

// attempts and pause bound the tries to reach the proxy: the requester's Role may
// be younger than the API server's view of it.
const (
	attempts = 5
	pause    = 500 * time.Millisecond
)

func reach(
	ctx context.Context, plan Plan, endpoint *v1alpha1.Endpoint, open func(httpstream.Dialer) (*tunnel.Tunnel, error),
) (*tunnel.Tunnel, error) {
	dialer, err := tunnel.Dialer(plan.Config, endpoint.Namespace, endpoint.Pod)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		t, err := open(dialer)
		if err == nil || try == attempts {
			return t, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.New("interrupted")
		case <-time.After(time.Duration(try) * pause):
		}
	}
}

// Names of the files.
const (
	authorityFile   = "ca.pem"
	certificateFile = "client.pem"
	keyFile         = "client.key"
)

func (l *Login) write(key crypto.Signer, now time.Time) error {
	certificate, private, err := clientkey.Certificate(key, l.Request.Spec.Requester.Username, now)
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		authorityFile: []byte(l.Request.Status.Endpoint.CABundle), certificateFile: certificate, keyFile: private,
	} {
		if err := os.WriteFile(filepath.Join(l.Folder, name), content, 0o600); err != nil {
			return fmt.Errorf("write the client's files: %w", err)
		}
	}
	return nil
}

// Close removes the files. Tunnel ends with the context that it is served under.
func (l *Login) Close() error {
	if err := os.RemoveAll(l.Folder); err != nil {
		return fmt.Errorf("remove the client's files: %w", err)
	}
	return nil
}

// Conninfo is the connection string for libpq (PostgreSQL manual, 34.1.1): the
// proxy's name verified against the task's own authority, the client known by its
// key, no time limit while the proxy holds the connection for its review.
func (l *Login) Conninfo() string {
	e := l.Request.Status.Endpoint
	var out []string
	for _, p := range []struct{ key, value string }{
		{"host", e.ServerName},
		{"hostaddr", "127.0.0.1"},
		{"port", fmt.Sprint(l.Tunnel.Port())},
		{"dbname", e.Database},
		{"user", l.Request.Spec.Requester.Username},
		{"sslmode", "verify-full"},
		{"sslrootcert", filepath.Join(l.Folder, authorityFile)},
		{"sslcert", filepath.Join(l.Folder, certificateFile)},
		{"sslkey", filepath.Join(l.Folder, keyFile)},
		{"connect_timeout", "0"},
	} {
		if p.value != "" {
			out = append(out, p.key+"="+quote(p.value))
		}
	}
	return strings.Join(out, " ")
}

// quote makes a value of a connection string.
func quote(value string) string {
	if !strings.ContainsAny(value, ` '\`+"\t\r\n") {
		return value
	}
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}
