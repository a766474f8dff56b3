package ssh

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/hostkey"
)

const (
	defaultSeconds = 180
	maxSeconds     = 3600
	// backdate lets a target's clock be behind ours.
	backdate = time.Minute
	// maxSources bounds the networks of one certificate.
	maxSources = 16
)

// loginForm is the API's. One principal is one login: a comma or a newline in it was
// a second one to some servers (CVE-2026-35414).
var loginForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,31}$`)

// CertificateRequest is what a proxy asks to be certified, with what its task may do.
type CertificateRequest struct {
	// UID of the request.
	UID string
	// Key is the proxy's own, a plain public key.
	Key ssh.PublicKey
	// Login is the account, one of Grant's.
	Login string
	Grant *v1alpha1.SSHGrant
	// SourceAddresses are the proxy's, as addresses or networks, for targets that do not
	// say where they see proxies come from.
	SourceAddresses []string
	// Deadline is the task's end: no certificate outlives it.
	Deadline time.Time
}

// Certify makes a certificate for one login, good from the proxy's addresses alone,
// with the extensions that the grant needs and no others. Whoever calls it has made
// sure that the request is granted, now.
func (i *Issuer) Certify(target credential.Target, request CertificateRequest) (*ssh.Certificate, error) {
	if err := fits(target, request.Grant); err != nil {
		return nil, err
	}
	if !slices.Contains(request.Grant.Logins, request.Login) || !loginForm.MatchString(request.Login) {
		return nil, fmt.Errorf("%w: login %.40q is not granted", credential.ErrGrant, request.Login)
	}
	if request.Key == nil {
		return nil, fmt.Errorf("%w: no key is given to certify", credential.ErrGrant)
	}
	if err := hostkey.Acceptable(request.Key); err != nil {
		return nil, fmt.Errorf("%w: the key to certify is %w", credential.ErrGrant, err)
	}
	sources, err := sourceAddresses(target.Spec.SSH, request.SourceAddresses)
	if err != nil {
		return nil, err
	}
	now := i.Now()
	until := now.Add(lifetime(target.Spec.SSH))
	if request.Deadline.Before(until) {
		until = request.Deadline
	}
	certificate, err := i.sign(target, terms{
		uid: request.UID, key: request.Key, login: request.Login,
		after: now.Add(-backdate), before: until, now: now,
		options: map[string]string{"source-address": sources}, extensions: extensions(request.Grant),
	})
	if err != nil {
		return nil, fmt.Errorf("certify for login %s on AccessTarget %s: %w", request.Login, target.Name, err)
	}
	return certificate, nil
}

// lifetime of a certificate.
func lifetime(spec *v1alpha1.SSHTarget) time.Duration {
	return time.Duration(min(cmp.Or(max(spec.CertificateSeconds, 0), defaultSeconds), maxSeconds)) * time.Second
}

// terms are a certificate before it is signed.
type terms struct {
	uid                 string
	key                 ssh.PublicKey
	login               string
	after, before, now  time.Time
	options, extensions map[string]string
}

// sign refuses whatever has no end, or has ended already: 0 and 2^64-1 would be "for
// ever" to a server.
func (i *Issuer) sign(target credential.Target, t terms) (*ssh.Certificate, error) {
	switch {
	case !uidForm.MatchString(t.uid):
		return nil, fmt.Errorf("%w: the request's UID is not a DNS label", credential.ErrGrant)
	case t.after.Unix() <= 0 || t.before.Unix() <= t.after.Unix():
		return nil, fmt.Errorf("%w: a certificate must begin and end", credential.ErrGrant)
	case t.before.Unix() <= t.now.Unix():
		return nil, fmt.Errorf("%w: the task is over", credential.ErrGrant)
	case t.before.Sub(t.now) > maxSeconds*time.Second:
		return nil, fmt.Errorf("%w: a certificate is good for %d seconds at most", credential.ErrGrant, maxSeconds)
	}
	return i.signAsIs(target, t)
}

func (i *Issuer) signAsIs(target credential.Target, t terms) (*ssh.Certificate, error) {
	authority, err := i.authority(target)
	if err != nil {
		return nil, err
	}
	certificate := &ssh.Certificate{
		Key: t.key, Serial: Serial(t.uid), CertType: ssh.UserCert, KeyId: KeyID(t.uid),
		ValidPrincipals: []string{t.login},
		ValidAfter:      uint64(t.after.Unix()), ValidBefore: uint64(t.before.Unix()),
		Permissions: ssh.Permissions{CriticalOptions: t.options, Extensions: t.extensions},
	}
	if err := certificate.SignCert(rand.Reader, authority); err != nil {
		return nil, fmt.Errorf("sign a certificate: %w", err)
	}
	return certificate, nil
}

// extensions are what the target itself lets the certificate do. A file of commands
// that sshd would run at login (permit-user-rc) is never among them.
func extensions(grant *v1alpha1.SSHGrant) map[string]string {
	wanted := map[string]bool{
		"permit-pty":              grant.Terminal || grant.Shell == v1alpha1.ShellRecorded,
		"permit-port-forwarding":  len(grant.Forwards)+len(grant.Listeners)+len(grant.Sockets) > 0,
		"permit-agent-forwarding": grant.AgentForwarding,
		"permit-X11-forwarding":   grant.X11Forwarding,
	}
	out := map[string]string{}
	for name, needed := range wanted {
		if needed || grant.Unrestricted {
			out[name] = ""
		}
	}
	return out
}

// sourceAddresses is the value of the critical option: networks in the one form that
// sshd takes, without host bits. A certificate good from anywhere is never made
// because nobody knew better.
func sourceAddresses(spec *v1alpha1.SSHTarget, proxy []string) (string, error) {
	given := spec.SourceAddresses
	if len(given) == 0 {
		given = proxy
	}
	var networks []string
	for _, text := range given {
		prefix, err := parseNetwork(text)
		if err != nil {
			return "", fmt.Errorf("%w: %.60q is no network that a server sees proxies come from", credential.ErrUnsupported, text)
		}
		if network := prefix.String(); !slices.Contains(networks, network) {
			networks = append(networks, network)
		}
	}
	switch {
	case len(networks) == 0:
		return "", fmt.Errorf("%w: nobody says where the server sees proxies come from: set sourceAddresses of the AccessTarget", credential.ErrUnsupported)
	case len(networks) > maxSources:
		return "", fmt.Errorf("%w: more than %d source addresses", credential.ErrUnsupported, maxSources)
	}
	return strings.Join(networks, ","), nil
}

func parseNetwork(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return address.Prefix(address.BitLen())
	}
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, err
	case prefix.Addr().Is4In6():
		return netip.Prefix{}, errors.New("an IPv4 network in IPv6's form")
	}
	return prefix.Masked(), nil
}
