package server

import (
	"context"
	"errors"

	"golang.org/x/crypto/ssh"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/control/controlpb"
)

// Certifier makes the certificates with which proxies log in to SSH servers. What it is
// asked for is the caller's own request's, and well-formed.
type Certifier interface {
	// Certify makes one for key and login, if the request is granted now, by uncached
	// reads, and its grant has the login: else a control.ErrNotCertified. Any other error
	// asks the proxy to try again.
	Certify(ctx context.Context, requestUID string, key ssh.PublicKey, login string) (*ssh.Certificate, error)
}

// Certify implements the contract.
func (s *Server) Certify(ctx context.Context, in *controlpb.CertifyRequest) (*controlpb.CertifyResponse, error) {
	c, err := callerOf(ctx)
	switch {
	case err != nil:
		return nil, err
	case s.certifier == nil:
		return nil, status.Error(codes.Unimplemented, "this manager makes no SSH certificates")
	case !s.certifying.allow(c.requestUID):
		return nil, status.Error(codes.ResourceExhausted, "asked too often: wait a little")
	}
	key, login, err := control.DecodeCertify(in)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	ctx, cancel := context.WithTimeout(ctx, s.timing.Read)
	defer cancel()
	certificate, err := s.certifier.Certify(ctx, c.requestUID, key, login)
	if errors.Is(err, control.ErrNotCertified) {
		s.log.Info("refused a certificate", "request", c.requestUID, "login", login, "reason", err.Error())
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	if err != nil {
		s.log.Error(err, "could not make a certificate", "request", c.requestUID, "login", login)
		return nil, status.Error(codes.Unavailable, "the manager cannot make certificates now: try again")
	}
	s.log.Info("made a certificate", "request", c.requestUID, "login", login, "key", ssh.FingerprintSHA256(key),
		"serial", certificate.Serial, "keyID", certificate.KeyId, "validBefore", certificate.ValidBefore)
	return control.EncodeCertified(certificate), nil
}
