package ssh

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/hostkey"
)

// Bounds of one look at a target.
const (
	operationTimeout = 20 * time.Second
	connectTimeout   = 5 * time.Second
)

// asked is a key that a server is asked about.
type asked struct {
	key ssh.PublicKey
	// taken is the server's answer: it would let the key in.
	taken bool
}

// answers is what a server said of itself while it was asked.
type answers struct {
	version string
	// given is how many of the keys it has answered about.
	given int
	// open says that it let us in without any proof.
	open bool
}

// errAsked ends a connection when all is asked.
var errAsked = errors.New("all is asked")

// query asks which of the keys would be let in as login, by requests without a
// signature (RFC 4252 section 7): nobody is ever logged in, nothing is ever signed.
// A key that is taken leaves no failed attempt with the server, so those that should
// be taken come first.
func (i *Issuer) query(ctx context.Context, target credential.Target, login string, keys []*asked) (answers, error) {
	var got answers
	next := 0
	callback := func(auth *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
		got.version, got.given = string(auth.Metadata.ServerVersion()), next
		if !slices.Contains(auth.AllowedMethods, "publickey") {
			return nil, fmt.Errorf("%w: the server takes no public keys for login %s (PubkeyAuthentication)", credential.ErrAdministrator, login)
		}
		if next == len(keys) {
			return nil, errAsked
		}
		next++
		return ssh.PublicKeys(&witness{keys[next-1]}), nil
	}
	conn, err := i.handshake(ctx, target, &ssh.ClientConfig{User: login, AuthCallback: callback})
	switch {
	case err == nil:
		got.version, got.open = string(conn.ServerVersion()), true
		_ = conn.Close()
		return got, nil
	case errors.Is(err, errAsked):
		return got, nil
	}
	return got, classify(target, err)
}

// handshake connects to the first address that answers, and lets only the server in
// that the target names.
func (i *Issuer) handshake(ctx context.Context, target credential.Target, config *ssh.ClientConfig) (ssh.Conn, error) {
	spec, err := specOf(target)
	if err != nil {
		return nil, err
	}
	config.HostKeyCallback, config.HostKeyAlgorithms, err = hostkey.Callback(spec.Host, spec.HostKeys, spec.HostAuthorities, i.Now)
	if err != nil {
		return nil, fmt.Errorf("%w: AccessTarget %s: %w", credential.ErrUnsupported, target.Name, err)
	}
	config.ClientVersion = "SSH-2.0-sallyport-manager"
	raw, err := i.dial(ctx, target)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = raw.SetDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	conn, channels, requests, err := ssh.NewClientConn(raw, spec.Host, config)
	if err != nil {
		_ = raw.Close()
		return nil, errors.Join(err, ctx.Err())
	}
	go ssh.DiscardRequests(requests)
	go refuseAll(channels)
	return conn, nil
}

func refuseAll(channels <-chan ssh.NewChannel) {
	for channel := range channels {
		_ = channel.Reject(ssh.Prohibited, "nothing is served here")
	}
}

func (i *Issuer) dial(ctx context.Context, target credential.Target) (net.Conn, error) {
	err := fmt.Errorf("%w: AccessTarget %s has no address", credential.ErrUnreachable, target.Name)
	for _, address := range target.Addresses {
		dialing, cancel := context.WithTimeout(ctx, connectTimeout)
		conn, failed := i.Dial(dialing, "tcp", net.JoinHostPort(address, strconv.Itoa(int(target.Spec.SSH.Port))))
		cancel()
		if failed == nil {
			return conn, nil
		}
		err = failed
	}
	return nil, err
}

// witness is a key that notes that the server took it: a client is asked to sign for
// no other. It never signs.
type witness struct{ of *asked }

func (w *witness) PublicKey() ssh.PublicKey { return w.of.key }

func (w *witness) Sign(io.Reader, []byte) (*ssh.Signature, error) {
	w.of.taken = true
	return nil, errors.New("asked, not signed")
}

// SignWithAlgorithm makes it an ssh.AlgorithmSigner, so that the key is named as it is.
func (w *witness) SignWithAlgorithm(random io.Reader, data []byte, _ string) (*ssh.Signature, error) {
	return w.Sign(random, data)
}

// stranger is a key that nobody has: its private half is gone.
func stranger() (ssh.PublicKey, error) {
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate a key: %w", err)
	}
	return ssh.NewPublicKey(public)
}
