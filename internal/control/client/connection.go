package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

const (
	// A state holds a policy (an object of at most 1.5 MiB in etcd) and certificates.
	maxMessage = 4 << 20
	maxToken   = 16 << 10
)

// connection is one connection to one replica of the manager.
type connection struct {
	grpc *grpc.ClientConn
}

// connect makes a new connection, so that each attempt may reach another replica.
func (c *Client) connect() (*connection, error) {
	// passthrough: nothing is resolved, and no service config looked up.
	conn, err := grpc.NewClient("passthrough:///"+c.address,
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
			MinVersion: tls.VersionTLS13, RootCAs: c.roots, ServerName: c.serverName,
		})),
		grpc.WithPerRPCCredentials(tokenFile(c.tokenFile)),
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		// One attempt: the wait between attempts is Run's.
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: 5 * time.Second}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
	)
	if err != nil {
		return nil, fmt.Errorf("connect to the manager: %w", err)
	}
	return &connection{grpc: conn}, nil
}

// current waits for a connection that has proved itself.
func (c *Client) current(ctx context.Context) (*connection, error) {
	for {
		c.mu.Lock()
		connection, connected := c.connection, c.connected
		c.mu.Unlock()
		if connection != nil {
			return connection, nil
		}
		select {
		case <-connected:
		case <-ctx.Done():
			return nil, fmt.Errorf("the manager cannot be reached: %w", ctx.Err())
		}
	}
}

// publish offers a connection to Authenticate, until withdraw.
func (c *Client) publish(connection *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.connection == nil {
		close(c.connected)
	}
	c.connection = connection
}

func (c *Client) withdraw() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.connection != nil {
		c.connection, c.connected = nil, make(chan struct{})
	}
}

// tokenFile proves the proxy's pod at each call with what the file holds then.
type tokenFile string

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (f tokenFile) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	file, err := os.Open(string(f))
	if err != nil {
		return nil, fmt.Errorf("read the proxy's token: %w", err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxToken+1))
	if err != nil {
		return nil, fmt.Errorf("read the proxy's token: %w", err)
	}
	token := strings.TrimSpace(string(content))
	if token == "" || len(content) > maxToken || strings.ContainsAny(token, " \r\n\t") {
		return nil, errors.New("read the proxy's token: the file does not hold one token")
	}
	return map[string]string{"authorization": "Bearer " + token}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (tokenFile) RequireTransportSecurity() bool { return true }
