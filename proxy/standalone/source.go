package standalone

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"time"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/grant"
)

// Source tells a proxy what its grant file says, once. Changes of the file are not
// watched.
type Source struct {
	file        File
	certificate *tls.Certificate
	now         func() time.Time
}

var _ control.Source = (*Source)(nil)

// NewSource is the source of one grant file; certificate is what clients see.
func NewSource(file File, certificate *tls.Certificate, now func() time.Time) *Source {
	return &Source{file: file, certificate: certificate, now: now}
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
