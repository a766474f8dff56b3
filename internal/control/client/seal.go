package client

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/control/controlpb"
	"github.com/sallyport/sallyport/internal/record"
)

// Seal has the manager sign what segments are, control.MaxSeal at most. A
// control.ErrSealRefused is final; any other error may pass. Without a connection it
// waits for one, as long as ctx lets it.
func (c *Client) Seal(ctx context.Context, statements []record.Statement) ([]record.Signature, error) {
	request, err := control.EncodeStatements(statements)
	if err != nil {
		return nil, err
	}
	connection, err := c.current(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := controlpb.NewControlClient(connection.grpc).Seal(ctx, request)
	if err != nil {
		return nil, recordingError("sign segments", err)
	}
	return control.DecodeSignatures(answer, statements)
}

// Places asks the manager where count segments of a session, from first on, and their
// signatures may be written.
func (c *Client) Places(ctx context.Context, session string, first, count int) (control.Places, error) {
	connection, err := c.current(ctx)
	if err != nil {
		return control.Places{}, err
	}
	answer, err := controlpb.NewControlClient(connection.grpc).Places(ctx, &controlpb.PlacesRequest{
		Session: session, First: int32(first), Count: int32(count),
	})
	if err != nil {
		return control.Places{}, recordingError("say where to record", err)
	}
	return control.DecodePlaces(answer), nil
}

func recordingError(what string, err error) error {
	if slices.Contains([]codes.Code{codes.FailedPrecondition, codes.InvalidArgument, codes.Unimplemented}, status.Code(err)) {
		return fmt.Errorf("ask the manager to %s: %w: %s", what, control.ErrSealRefused, status.Convert(err).Message())
	}
	return fmt.Errorf("ask the manager to %s: %w", what, err)
}
