package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
)

// client is a connection whose answers are read and thrown away: what is measured is
// the way, not a driver.
type client struct {
	net.Conn
	in *bufio.Reader
}

func connect(ctx context.Context, c *contender) (*client, error) {
	config, err := pgconn.ParseConfig(fmt.Sprintf("host=127.0.0.1 port=%d user=%s dbname=%s sslmode=%s", c.port, login, database, c.leg.mode()))
	if err != nil {
		return nil, err
	}
	config.Password = token
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect through %s (%s): %w", c.name, c.leg, err)
	}
	hijacked, err := conn.Hijack()
	if err != nil {
		return nil, err
	}
	return &client{hijacked.Conn, bufio.NewReaderSize(hijacked.Conn, 256<<10)}, nil
}

// discard runs a query and returns how many bytes of answers it had.
func (c *client) discard(query string) (total int64, err error) {
	message := binary.BigEndian.AppendUint32([]byte{'Q'}, uint32(len(query)+5))
	message = append(append(message, query...), 0)
	if _, err := c.Write(message); err != nil {
		return 0, err
	}
	for {
		header, err := c.in.Peek(5)
		if err != nil {
			return total, err
		}
		kind, size := header[0], int(binary.BigEndian.Uint32(header[1:]))+1
		if kind == 'E' {
			report, err := c.in.Peek(min(size, c.in.Size()))
			return total, fmt.Errorf("the answer is an error: %q %w", report, err)
		}
		if _, err := c.in.Discard(size); err != nil && err != io.EOF {
			return total, err
		}
		total += int64(size)
		if kind == 'Z' {
			return total, nil
		}
	}
}
