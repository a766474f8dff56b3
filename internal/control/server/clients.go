package server

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/control/controlpb"
)

// clientTokens says whose token a client showed to its proxy.
type clientTokens struct {
	reviewer *reviewer
	// guesses bounds how fast a task's clients may try tokens.
	guesses *limits
}

func newClientTokens(reviewer *reviewer) (*clientTokens, error) {
	guesses, err := newLimits(2, 20)
	if err != nil {
		return nil, err
	}
	return &clientTokens{reviewer: reviewer, guesses: guesses}, nil
}

// AuthenticateClient implements the contract. The audience is the caller's own
// request: a token for another task is nobody's here.
func (s *Server) AuthenticateClient(ctx context.Context, _ *controlpb.AuthenticateClientRequest) (*controlpb.AuthenticateClientResponse, error) {
	c, err := callerOf(ctx)
	if err != nil {
		return nil, err
	}
	tokens := metadata.ValueFromIncomingContext(ctx, control.ClientTokenKey)
	if len(tokens) != 1 || tokens[0] == "" || len(tokens[0]) > maxToken {
		return nil, status.Error(codes.InvalidArgument, "one client token is needed")
	}
	if !s.clients.guesses.allow(c.requestUID) {
		return nil, status.Error(codes.ResourceExhausted, "too many tokens tried: wait a little")
	}
	user, err := s.clients.reviewer.review(ctx, tokens[0], control.ClientAudience(c.requestUID))
	if errors.Is(err, errNotAuthentic) {
		return nil, status.Errorf(codes.Unauthenticated, "the token is not valid for this task: ask for one with audience %s", control.ClientAudience(c.requestUID))
	}
	if err != nil {
		s.log.Info("could not review a client's token", "request", c.requestUID, "reason", err.Error())
		return nil, status.Error(codes.Unavailable, "the token cannot be checked now: try again")
	}
	return &controlpb.AuthenticateClientResponse{Username: user.Username, Uid: user.UID, Groups: user.Groups}, nil
}
