package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// Upstream is a connection to the target, authenticated, and idle after its first
// ReadyForQuery.
type Upstream struct {
	net.Conn
	// Version of the protocol that the target speaks.
	Version uint32
	// Parameters in the order in which the target reported them.
	Parameters []wire.ParameterStatus
	// Status is the transaction's status in that ReadyForQuery.
	Status byte

	key    wire.BackendKey
	reader *wire.Reader
	// again opens another connection to the same server, verified the same way.
	again func(context.Context) (net.Conn, error)
}

// Guard implements session.Guarded: wrap stands before all that is written from now on.
func (u *Upstream) Guard(wrap func(net.Conn) net.Conn) { u.Conn = wrap(u.Conn) }

// major is the version of PostgreSQL that the target says it is, 0 if it does not.
func (u *Upstream) major() int {
	for _, p := range u.Parameters {
		if p.Name == "server_version" {
			digits := strings.IndexFunc(p.Value+".", func(r rune) bool { return r < '0' || r > '9' })
			major, err := strconv.Atoi(p.Value[:digits])
			if err == nil {
				return major
			}
		}
	}
	return 0
}

// inUTF8 says whether the session began with client_encoding UTF8.
func (u *Upstream) inUTF8() bool {
	return slices.ContainsFunc(u.Parameters, func(p wire.ParameterStatus) bool {
		return p.Name == parameterEncoding && p.Value == "UTF8"
	})
}

// Cancel asks the target to cancel what this connection is doing. Like
// PostgreSQL's own clients it cannot know whether that came in time.
func (u *Upstream) Cancel(ctx context.Context) error {
	conn, err := u.again(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(past) })()
	if _, err := conn.Write(wire.AppendCancelRequest(nil, u.key)); err != nil {
		return err
	}
	// The server closes once it has passed the request on.
	_, err = io.CopyN(io.Discard, conn, 1)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
