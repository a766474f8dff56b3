package server

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/control/controlpb"
)

// holdPoll is how often a review is looked at although nobody said that it changed.
const holdPoll = 5 * time.Second

// Hold implements the contract.
func (s *Server) Hold(in *controlpb.HoldRequest, stream controlpb.Control_HoldServer) error {
	c, err := callerOf(stream.Context())
	if err != nil {
		return err
	}
	if !s.holding.allow(c.requestUID) {
		return status.Error(codes.ResourceExhausted, "held too often: wait a little")
	}
	held, err := control.DecodeHeld(in.GetOperation())
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	ctx, cancel := context.WithTimeoutCause(stream.Context(), s.timing.Lifetime, errLifetime)
	defer cancel()
	h := &hold{server: s, caller: c, held: held, stream: stream}
	return h.run(ctx)
}

// hold is one operation before its reviewers.
type hold struct {
	server *Server
	caller caller
	held   v1alpha1.HeldOperation
	stream controlpb.Control_HoldServer
	sent   control.HoldState
	// failing is since when the review cannot be read; zero when it can.
	failing time.Time
}

func (h *hold) run(ctx context.Context) error {
	changed, unsubscribe := h.server.provider.Subscribe(h.caller.requestUID)
	defer unsubscribe()
	look := h.server.provider.OpenHold
	poll := time.NewTimer(0)
	defer poll.Stop()
	for {
		select {
		case <-changed:
		case <-poll.C:
		case <-h.server.stopping:
			return status.Error(codes.Unavailable, "this manager is stopping")
		case <-ctx.Done():
			return ended(ctx)
		}
		state, err := h.look(ctx, look)
		switch {
		case errors.Is(err, control.ErrHoldRefused):
			return status.Error(codes.FailedPrecondition, err.Error())
		case err != nil:
			if err := h.failed(err); err != nil {
				return err
			}
			poll.Reset(h.server.timing.Read / 8)
			continue
		}
		h.failing = time.Time{}
		look = h.state
		if state != h.sent {
			if err := h.stream.Send(encodeHoldState(state)); err != nil {
				return err
			}
			h.sent = state
		}
		if state.Outcome != "" {
			return nil
		}
		poll.Reset(holdPoll)
	}
}

// look asks the provider, for a pod that still lives.
func (h *hold) look(ctx context.Context, ask func(context.Context, string, v1alpha1.HeldOperation) (control.HoldState, error)) (control.HoldState, error) {
	ctx, cancel := context.WithTimeout(ctx, h.server.timing.Read)
	defer cancel()
	if _, err := h.server.callers.resolve(ctx, h.caller.pod); err != nil {
		return control.HoldState{}, err
	}
	return ask(ctx, h.caller.requestUID, h.held)
}

func (h *hold) state(ctx context.Context, requestUID string, held v1alpha1.HeldOperation) (control.HoldState, error) {
	return h.server.provider.HoldState(ctx, requestUID, held.ID, held.Point)
}

// failed is nil while the failure may pass; after a while the proxy is sent to another
// replica.
func (h *hold) failed(err error) error {
	if status.Code(err) == codes.PermissionDenied {
		return err
	}
	h.server.log.Info("could not read a review", "request", h.caller.requestUID, "operation", h.held.ID, "reason", err.Error())
	now := h.server.now()
	if h.failing.IsZero() {
		h.failing = now
	}
	if now.Sub(h.failing) > h.server.timing.Hold {
		return status.Error(codes.Unavailable, "the review cannot be read now: try again")
	}
	return nil
}

// Withdraw implements the contract.
func (s *Server) Withdraw(ctx context.Context, in *controlpb.WithdrawRequest) (*controlpb.WithdrawResponse, error) {
	c, err := callerOf(ctx)
	if err != nil {
		return nil, err
	}
	if !s.holding.allow(c.requestUID) {
		return nil, status.Error(codes.ResourceExhausted, "withdrawn too often: wait a little")
	}
	found, err := s.provider.Withdraw(ctx, c.requestUID, in.GetId(), v1alpha1.HoldPoint(in.GetPoint()))
	if err != nil {
		s.log.Info("could not withdraw a review", "request", c.requestUID, "operation", in.GetId(), "reason", err.Error())
		return nil, status.Error(codes.Unavailable, "the review cannot be withdrawn now: try again")
	}
	return &controlpb.WithdrawResponse{Found: found}, nil
}

func encodeHoldState(state control.HoldState) *controlpb.HoldState {
	return &controlpb.HoldState{
		Review: state.Review, Outcome: string(state.Outcome), Digest: state.Digest, Message: state.Message,
	}
}
