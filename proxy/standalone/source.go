package standalone

import (
	"context"
	"crypto/ed25519"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/record"
)

// Source tells a proxy what its grant file says, once. Changes of the file are not
// watched.
type Source struct {
	file        File
	certificate *tls.Certificate
	now         func() time.Time
	// key signs recordings; nil if the file names none.
	key ed25519.PrivateKey
}

var _ control.Source = (*Source)(nil)

// NewSource is the source of one grant file; certificate is what clients see.
func NewSource(file File, certificate *tls.Certificate, now func() time.Time) (*Source, error) {
	s := &Source{file: file, certificate: certificate, now: now}
	if file.Recording.SigningKey == "" {
		return s, nil
	}
	encoded, err := readBounded(file.Recording.SigningKey)
	if err != nil {
		return nil, fmt.Errorf("read recording.signingKey: %w", err)
	}
	if s.key, err = parseKey(encoded); err != nil {
		return nil, fmt.Errorf("recording.signingKey %s: %w", file.Recording.SigningKey, err)
	}
	return s, nil
}

// Recording is how the file says that sessions are recorded.
func (s *Source) Recording() grant.Recording { return s.file.State.Recording }

func parseKey(encoded []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(encoded)
	if block == nil {
		return nil, errors.New("it holds no PEM: make one with openssl genpkey -algorithm ed25519")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		// The parser's words might quote what it read.
		return nil, errors.New("it holds no Ed25519 key in PKCS #8: make one with openssl genpkey -algorithm ed25519")
	}
	return key, nil
}

// Seal signs segments as a manager does; nil if the file names no key.
func (s *Source) Seal() func(context.Context, []record.Statement) ([]record.Signature, error) {
	if s.key == nil {
		return nil
	}
	return func(_ context.Context, statements []record.Statement) ([]record.Signature, error) {
		signatures := make([]record.Signature, len(statements))
		for i, statement := range statements {
			signatures[i] = record.Sign(s.key, statement, s.now())
		}
		return signatures, nil
	}
}

// Run implements control.Source: the task ends at its deadline.
func (s *Source) Run(ctx context.Context, update func(grant.State)) error {
	update(s.file.State)
	if s.file.Grant == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	timer := time.NewTimer(s.file.Grant.Deadline.Sub(s.now()))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	ended := s.file.State
	ended.Phase, ended.Grant, ended.Reason = grant.Ended, nil, "its time is over"
	update(ended)
	return nil
}

// Report implements control.Source: nobody listens.
func (s *Source) Report(control.Report) {}

var errToken = errors.New("the grant file has no such clientToken")

// Authenticate implements control.Source with the file's token.
func (s *Source) Authenticate(_ context.Context, token grant.Secret) (control.User, error) {
	want := s.file.ClientToken.Reveal()
	if want == "" || subtle.ConstantTimeCompare([]byte(want), []byte(token.Reveal())) != 1 {
		return control.User{}, errToken
	}
	return control.User{Username: s.file.Task.Requester}, nil
}

// Certificate implements control.Source.
func (s *Source) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.certificate, nil
}

// LastContact implements control.Source: there is no manager to lose.
func (s *Source) LastContact() time.Time { return s.now() }
