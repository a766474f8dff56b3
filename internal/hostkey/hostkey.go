// Package hostkey tells whether an SSH server is the one that was meant: by its key,
// or by an authority that vouches for its key. Nothing is ever trusted on first use.
package hostkey

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Mismatch is the error of a server that is not the one meant. Its text has the
// fingerprints of what was shown and of what was expected.
type Mismatch struct {
	shown, why, expected string
}

func (m *Mismatch) Error() string {
	return fmt.Sprintf("the server showed %s, %s; expected %s", m.shown, m.why, m.expected)
}

// Callback is the check of a server that is known by keys, or by host certificates
// of authorities; both are lines `type base64`, as in an AccessTarget. Host is the
// name that a certificate must have, bare, as `host:port` or as `[host]:port`. The
// algorithms are those to offer, in order: a server with several keys then shows one
// that can be checked (RFC 4253 section 7.1).
func Callback(host string, keys, authorities []string, now func() time.Time) (ssh.HostKeyCallback, []string, error) {
	pinned, err := parseAll(keys)
	if err != nil {
		return nil, nil, fmt.Errorf("hostKeys: %w", err)
	}
	vouching, err := parseAll(authorities)
	if err != nil {
		return nil, nil, fmt.Errorf("hostAuthorities: %w", err)
	}
	if len(pinned)+len(vouching) == 0 {
		return nil, nil, errors.New("neither a host key nor a host authority is given: any server would do")
	}
	known := &known{host: bare(host), keys: pinned, authorities: vouching, now: now}
	if known.host == "" {
		return nil, nil, errors.New("no host is given")
	}
	algorithms := known.algorithms()
	if len(algorithms) == 0 {
		return nil, nil, fmt.Errorf("no host key is of a type that is spoken here: %s", known.expected())
	}
	return known.check, algorithms, nil
}

type known struct {
	host              string
	keys, authorities []ssh.PublicKey
	now               func() time.Time
}

func (k *known) check(_ string, _ net.Addr, shown ssh.PublicKey) error {
	certificate, certified := shown.(*ssh.Certificate)
	switch {
	case !certified && contains(k.keys, shown):
		return nil
	case !certified:
		return k.mismatch(shown, "which is not one of its keys")
	case contains(k.keys, certificate.Key):
		// The handshake proved the key itself; what vouches for it does not matter.
		return nil
	}
	if why := k.refuse(certificate); why != "" {
		return k.mismatch(shown, why)
	}
	return nil
}

// refuse says why a host certificate is not taken. One without principals would be
// good for every host, and none is: PROTOCOL.certkeys leaves that to the client.
func (k *known) refuse(certificate *ssh.Certificate) string {
	switch {
	case !contains(k.authorities, certificate.SignatureKey):
		return "by an authority that is not one of its own"
	case certificate.CertType != ssh.HostCert:
		return "a user's certificate"
	case certificate.Signature.Format == ssh.KeyAlgoRSA:
		return "signed with SHA-1"
	}
	if err := Acceptable(certificate.Key); err != nil {
		return err.Error()
	}
	principal := slices.IndexFunc(certificate.ValidPrincipals, func(name string) bool { return strings.EqualFold(name, k.host) })
	if principal < 0 {
		return fmt.Sprintf("a certificate that does not name %s", k.host)
	}
	checker := ssh.CertChecker{Clock: k.now}
	if err := checker.CheckCert(certificate.ValidPrincipals[principal], certificate); err != nil {
		return strings.TrimPrefix(err.Error(), "ssh: ")
	}
	return ""
}

func (k *known) mismatch(shown ssh.PublicKey, why string) error {
	text := fmt.Sprintf("%s %s", shown.Type(), ssh.FingerprintSHA256(shown))
	if certificate, ok := shown.(*ssh.Certificate); ok {
		text = fmt.Sprintf("%s %s of authority %s", shown.Type(),
			ssh.FingerprintSHA256(certificate.Key), ssh.FingerprintSHA256(certificate.SignatureKey))
	}
	return &Mismatch{shown: text, why: why, expected: k.expected()}
}

func (k *known) expected() string {
	var words []string
	for _, key := range k.keys {
		words = append(words, key.Type()+" "+ssh.FingerprintSHA256(key))
	}
	for _, key := range k.authorities {
		words = append(words, "a certificate of authority "+ssh.FingerprintSHA256(key))
	}
	return strings.Join(words, " or ")
}

func contains(keys []ssh.PublicKey, wanted ssh.PublicKey) bool {
	return slices.ContainsFunc(keys, func(key ssh.PublicKey) bool { return bytes.Equal(key.Marshal(), wanted.Marshal()) })
}

// bare is a host without a port, and without the brackets of known_hosts.
func bare(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}
