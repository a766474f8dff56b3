package server

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/control/controlpb"
	"github.com/sallyport/sallyport/internal/record"
)

// Sealer answers for recordings: it has the key that signs them, and the credential of
// the store. What it is asked for is the caller's own, and well-formed.
type Sealer interface {
	// Seal signs what a segment is. It never signs two different statements about one
	// segment: then it returns a control.ErrSealRefused, which is final. Any other error
	// asks the proxy to try again.
	Seal(ctx context.Context, requestUID string, statement record.Statement) (record.Signature, error)
	// Places says where count segments from first on, and their signatures, may be
	// written, with first at least 1 and count 1 to control.MaxPlaces.
	Places(ctx context.Context, requestUID, session string, first, count int) (control.Places, error)
}

// Seal implements the contract.
func (s *Server) Seal(ctx context.Context, in *controlpb.SealRequest) (*controlpb.SealResponse, error) {
	c, err := s.mayRecord(ctx)
	if err != nil {
		return nil, err
	}
	statements, err := control.DecodeStatements(in, c.requestUID)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	ctx, cancel := context.WithTimeout(ctx, s.timing.Read)
	defer cancel()
	signatures := make([]record.Signature, len(statements))
	for i, statement := range statements {
		if signatures[i], err = s.sealer.Seal(ctx, c.requestUID, statement); err != nil {
			return nil, s.notSealed(c, statement.Session, err)
		}
	}
	return control.EncodeSignatures(signatures), nil
}

// Places implements the contract.
func (s *Server) Places(ctx context.Context, in *controlpb.PlacesRequest) (*controlpb.PlacesResponse, error) {
	c, err := s.mayRecord(ctx)
	if err != nil {
		return nil, err
	}
	if err := record.CheckIdentifier(in.GetSession()); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if in.GetFirst() < 1 || in.GetCount() < 1 || in.GetCount() > control.MaxPlaces {
		return nil, status.Errorf(codes.InvalidArgument, "places for %d segments from segment %d on, where 1 to %d from 1 on can be had", in.GetCount(), in.GetFirst(), control.MaxPlaces)
	}
	ctx, cancel := context.WithTimeout(ctx, s.timing.Read)
	defer cancel()
	places, err := s.sealer.Places(ctx, c.requestUID, in.GetSession(), int(in.GetFirst()), int(in.GetCount()))
	if err != nil {
		return nil, s.notSealed(c, in.GetSession(), err)
	}
	return control.EncodePlaces(places), nil
}

// mayRecord is the caller, if it does not ask too often.
func (s *Server) mayRecord(ctx context.Context) (caller, error) {
	c, err := callerOf(ctx)
	switch {
	case err != nil:
		return c, err
	case s.sealer == nil:
		return c, status.Error(codes.Unimplemented, "this manager signs no recordings")
	case !s.sealing.allow(c.requestUID):
		return c, status.Error(codes.ResourceExhausted, "asked too often: wait a little")
	}
	return c, nil
}

// notSealed tells the proxy whether to try again.
func (s *Server) notSealed(c caller, session string, err error) error {
	s.log.Info("could not answer for a recording", "request", c.requestUID, "session", session, "reason", err.Error())
	if errors.Is(err, control.ErrSealRefused) {
		return status.Error(codes.FailedPrecondition, err.Error())
	}
	// Why is the operator's affair: the error might name what the proxy need not know.
	return status.Error(codes.Unavailable, "the manager cannot answer for recordings now: try again")
}
