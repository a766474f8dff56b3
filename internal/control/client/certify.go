package client

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/control/controlpb"
)

// certifyWithin bounds the wait for a certificate, a manager that is away included.
const certifyWithin = 15 * time.Second

// Certify has the manager make a user certificate for key, which is this process's own,
// and one login of the grant. A control.ErrNotCertified is final as the task stands; any
// other error may pass. Without a connection it waits for one, as long as ctx lets it.
func (c *Client) Certify(ctx context.Context, key ssh.PublicKey, login string) (*ssh.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, certifyWithin)
	defer cancel()
	connection, err := c.current(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the manager for a certificate: %w", err)
	}
	answer, err := controlpb.NewControlClient(connection.grpc).Certify(ctx, control.EncodeCertify(key, login))
	if err != nil {
		if slices.Contains([]codes.Code{codes.FailedPrecondition, codes.InvalidArgument, codes.Unimplemented}, status.Code(err)) {
			return nil, fmt.Errorf("%w: %s", control.ErrNotCertified, status.Convert(err).Message())
		}
		return nil, fmt.Errorf("ask the manager for a certificate: %w", err)
	}
	return control.DecodeCertified(answer, key, login)
}
