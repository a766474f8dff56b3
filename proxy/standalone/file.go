// Package standalone is a proxy's source of its task without a manager: one YAML
// file, for trying the proxy, for tests and for benchmarks.
package standalone

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/crypto/ssh"
	"sigs.k8s.io/yaml"

	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/record"
)

// maxFile bounds a grant file.
const maxFile = 1 << 20

// File is the content of a grant file: a state of a task, and what the manager
// would know beside it.
type File struct {
	grant.State `json:",inline"`
	// Recording is where sessions are recorded.
	Recording Recording `json:"recording,omitzero"`
	// ClientToken is what a client may bring for a password, as the requester.
	ClientToken grant.Secret `json:"clientToken,omitempty"`
}

// Recording is where and how sessions are recorded.
type Recording struct {
	grant.Recording `json:",inline"`
	// Directory for the recordings; it must exist.
	Directory string `json:"directory,omitempty"`
	// SigningKey is a file with an Ed25519 key (PKCS #8, PEM) that signs them, in place of
	// a manager's. Without one they are not signed.
	SigningKey string `json:"signingKey,omitempty"`
}

// Read reads a grant file. What it leaves out gets a value: phase Granted where there
// is a grant, a deadline after the policy's maximum duration, and the addresses of
// the target's host, which here may be a name.
func Read(ctx context.Context, path string, now time.Time) (File, error) {
	var file File
	data, err := readBounded(path)
	if err != nil {
		return file, fmt.Errorf("read the grant file: %w", err)
	}
	if err := yaml.UnmarshalStrict(data, &file); err != nil {
		return file, fmt.Errorf("grant file %s: %w", path, err)
	}
	if err := file.complete(ctx, now); err != nil {
		return file, fmt.Errorf("grant file %s: %w", path, err)
	}
	return file, nil
}

func readBounded(path string) ([]byte, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()
	data, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes", path, maxFile)
	}
	return data, err
}

func (f *File) complete(ctx context.Context, now time.Time) error {
	if f.Grant != nil && f.Recording.Durability == "" {
		f.Recording.Durability = f.Grant.Policy.Recording.Durability
	}
	f.State.Recording = f.Recording.Recording
	if f.Task.RequestUID == "" {
		f.Task.RequestUID = "standalone"
	}
	if err := record.CheckIdentifier(f.Task.RequestUID); err != nil {
		return fmt.Errorf("task.requestUID: %w", err)
	}
	if f.Task.Requester == "" {
		return errors.New("task.requester: say whom the proxy serves")
	}
	if len(f.Task.ClientKeys) == 0 && f.ClientToken == "" {
		return errors.New("name task.clientKeys or clientToken: nobody could connect")
	}
	if f.Grant == nil {
		return nil
	}
	if f.Phase == "" {
		f.Phase = grant.Granted
	}
	if f.Grant.PolicyName == "" {
		f.Grant.PolicyName = "standalone"
	}
	if f.Grant.Deadline.IsZero() {
		lasting := time.Duration(f.Grant.Policy.Session.MaxDurationSeconds) * time.Second
		if lasting == 0 {
			lasting = time.Hour
		}
		f.Grant.Deadline = now.Add(lasting)
	}
	if upstream := f.Grant.Postgres; upstream != nil {
		if err := resolve(ctx, upstream.Host, &upstream.Addresses, &upstream.Port, 5432); err != nil {
			return fmt.Errorf("grant.postgres.host: %w", err)
		}
	}
	if upstream := f.Grant.SSH; upstream != nil {
		if err := resolve(ctx, upstream.Host, &upstream.Addresses, &upstream.Port, 22); err != nil {
			return fmt.Errorf("grant.ssh.host: %w", err)
		}
	}
	if f.Protocol() == SSH && f.HostKey == "" {
		return f.makeHostKey()
	}
	return nil
}

// The protocols.
const (
	Postgres = "postgres"
	SSH      = "ssh"
)

// Protocol that the file's grant is of; empty where it says nothing.
func (f *File) Protocol() string {
	switch {
	case f.Grant == nil:
		return ""
	case f.Grant.Policy.Grant.SSH != nil:
		return SSH
	case f.Grant.Policy.Grant.Postgres != nil:
		return Postgres
	}
	return ""
}

// makeHostKey is for a file that names none: a key for as long as the proxy runs.
func (f *File) makeHostKey() error {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return err
	}
	f.HostKey = grant.Secret(pem.EncodeToMemory(block))
	return nil
}

// KnownHosts is a line for the clients of an SSH task, for any name of the proxy; empty
// for other tasks.
func (f *File) KnownHosts() ([]byte, error) {
	if f.HostKey == "" {
		return nil, nil
	}
	signer, err := ssh.ParsePrivateKey([]byte(f.HostKey.Reveal()))
	if err != nil {
		// The parser's words might quote what it read.
		return nil, errors.New("hostKey: want a private key in PEM, without a passphrase")
	}
	return append([]byte("* "), ssh.MarshalAuthorizedKey(signer.PublicKey())...), nil
}

// resolve fills in where a target is.
func resolve(ctx context.Context, host string, addresses *[]string, port *int32, usual int32) error {
	if *port == 0 {
		*port = usual
	}
	if len(*addresses) > 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	found, err := net.DefaultResolver.LookupHost(ctx, host)
	*addresses = found
	return err
}
