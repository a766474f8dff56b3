// Package postgres makes one PostgreSQL role per task: a login of its own, with
// exactly the grant's privileges, that the target itself stops taking in time.
package postgres

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
)

// Options of an Issuer.
type Options struct {
	// Installation tells the roles of this installation from those of others that
	// share the target: 8 hex digits.
	Installation string
	// MasterKey is what passwords are derived from: 32 bytes at least.
	MasterKey []byte
	// Now is the operator's clock.
	Now func() time.Time
	// Dial reaches a target's address.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Issuer mints roles. It keeps no state: all of it is on the target.
type Issuer struct {
	Options
}

var _ credential.Issuer = (*Issuer)(nil)

// Bounds of what the administrator does on a target.
const (
	operationTimeout = 20 * time.Second
	connectTimeout   = 5 * time.Second
	statementTimeout = 10 * time.Second
	lockTimeout      = 5 * time.Second
)

var installationForm = regexp.MustCompile(`^[0-9a-f]{8}$`)

// New checks the options.
func New(options Options) (*Issuer, error) {
	switch {
	case !installationForm.MatchString(options.Installation):
		return nil, fmt.Errorf("installation %q: want 8 lower-case hex digits", options.Installation)
	case len(options.MasterKey) < 32:
		return nil, errors.New("the master key is shorter than 32 bytes")
	case options.Now == nil || options.Dial == nil:
		return nil, errors.New("clock and dialer must be given")
	}
	return &Issuer{Options: options}, nil
}

// Name is the role that a request has or will have; empty when its UID is none.
func (i *Issuer) Name(_ credential.Target, uid string) v1alpha1.IssuedCredential {
	role, err := i.RoleName(uid)
	if err != nil {
		role = ""
	}
	return v1alpha1.IssuedCredential{Type: v1alpha1.CredentialEphemeralRole, Name: role}
}

// Login is the role with its password, for the task's proxy.
func (i *Issuer) Login(_ credential.Target, request credential.Request) (credential.Login, error) {
	role, err := i.RoleName(request.UID)
	if err != nil {
		return credential.Login{}, err
	}
	password, err := i.Password(request.UID, request.Generation)
	return credential.Login{User: role, Password: password}, err
}

// RoleName is the role of a request's UID: 44 bytes, under PostgreSQL's 63.
func (i *Issuer) RoleName(uid string) (string, error) {
	digits := strings.ReplaceAll(uid, "-", "")
	if raw, err := hex.DecodeString(digits); err != nil || len(raw) != 16 || digits != strings.ToLower(digits) {
		return "", fmt.Errorf("request UID %q is not a UUID", uid)
	}
	return i.prefix() + digits, nil
}

func (i *Issuer) prefix() string { return "sp_" + i.Installation + "_" }

// uid is RoleName's inverse; ok is false for a name that is not one of ours.
func (i *Issuer) uid(role string) (uid string, ok bool) {
	digits, found := strings.CutPrefix(role, i.prefix())
	if raw, err := hex.DecodeString(digits); !found || err != nil || len(raw) != 16 {
		return "", false
	}
	return strings.Join([]string{digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]}, "-"), true
}
