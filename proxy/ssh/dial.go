package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/hostkey"
	"github.com/sallyport/sallyport/proxy/socket"
)

// dialTimeout bounds connection, key exchange and authentication together.
const dialTimeout = 15 * time.Second

// Dialer opens connections to targets with a task's credential. It is safe for
// concurrent use, and must not be copied.
type Dialer struct {
	// Certify makes a certificate for the process's own key and one login. Nil is a
	// proxy without a manager: its grants bring a standing credential.
	Certify func(ctx context.Context, key ssh.PublicKey, login string) (*ssh.Certificate, error)
	// Net dials; a net.Dialer by default.
	Net func(ctx context.Context, network, address string) (net.Conn, error)
	// Now is the clock; the machine's by default.
	Now func() time.Time
	// Timeout for all of it; 15 seconds by default.
	Timeout time.Duration
	// RekeyThreshold as in Options.
	RekeyThreshold uint64

	certificates certificates
}

// Upstream is a connection to a target that has taken the task's credential.
type Upstream struct {
	*targetLeg
	// Client is the target's end; Channels and Requests are what the target asks for.
	Client   ssh.Conn
	Channels <-chan ssh.NewChannel
	Requests <-chan *ssh.Request
}

// Dial logs in as attributes' user. The connection is an *Upstream. Errors hold no
// secret.
func (d *Dialer) Dial(ctx context.Context, g grant.Grant, attributes map[string]string) (net.Conn, error) {
	if g.SSH == nil {
		return nil, errors.New("the grant names no SSH target")
	}
	to, login := *g.SSH, attributes["user"]
	timeout := d.Timeout
	if timeout == 0 {
		timeout = dialTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errors.New("the target did not answer in time"))
	defer cancel()
	check, keys, err := hostkey.Callback(to.Host, to.HostKeys, to.HostAuthorities, d.now)
	if err != nil {
		return nil, err
	}
	methods, err := d.authenticate(ctx, to, login)
	if err != nil {
		return nil, caused(ctx, err)
	}
	config := &ssh.ClientConfig{
		Config: algorithms(false, d.RekeyThreshold), User: login, Auth: methods,
		HostKeyCallback: check, HostKeyAlgorithms: keys,
		BannerCallback: func(string) error { return nil },
		ClientVersion:  serverVersion,
	}
	raw, err := d.connect(ctx, to)
	if err != nil {
		return nil, caused(ctx, err)
	}
	leg := newTargetLeg(socket.Wrap(raw))
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(past) })
	client, channels, requests, err := ssh.NewClientConn(leg, net.JoinHostPort(to.Host, strconv.Itoa(int(to.Port))), config)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = raw.Close()
		return nil, caused(ctx, explained(err))
	}
	return &Upstream{leg, client, channels, requests}, nil
}

func (d *Dialer) now() time.Time {
	if d.Now == nil {
		return time.Now() //nolint:forbidigo // who injects none has the machine's
	}
	return d.Now()
}

// connect tries the addresses in order. There is no resolver: the manager has
// resolved and checked them.
func (d *Dialer) connect(ctx context.Context, to grant.SSHUpstream) (net.Conn, error) {
	dial := d.Net
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	failures := []error{errors.New("no address of the target can be reached")}
	for _, address := range to.Addresses {
		if net.ParseIP(address) == nil {
			return nil, fmt.Errorf("%q is not an IP address", address)
		}
		conn, err := dial(ctx, "tcp", net.JoinHostPort(address, strconv.Itoa(int(to.Port))))
		if err == nil {
			return conn, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

// explained is an error of package ssh, in words for whoever reads it; a host key that
// is not the one expected is told in full.
func explained(err error) error {
	if mismatch, ok := errors.AsType[*hostkey.Mismatch](err); ok {
		return mismatch
	}
	return errors.New(clean(err.Error()))
}

// caused is err, or what ended ctx.
func caused(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
