package supervise

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// Client gives orders to a cluster's supervisor.
type Client struct {
	http *http.Client
}

// NewClient returns a client for the supervisor behind a unix socket.
func NewClient(socket string) *Client {
	var dialer net.Dialer
	return &Client{http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		},
	}}}
}

// Start starts a process, unless it runs already.
func (c *Client) Start(ctx context.Context, spec Spec) (Status, error) {
	body, err := json.Marshal(spec)
	if err != nil {
		return Status{}, err
	}
	return c.one(ctx, http.MethodPut, spec.Name, body)
}

// Again starts a process as it was started before.
func (c *Client) Again(ctx context.Context, name string) (Status, error) {
	return c.one(ctx, http.MethodPost, name, nil)
}

// Stop ends a process; it returns when the process is gone.
func (c *Client) Stop(ctx context.Context, name string) (Status, error) {
	return c.one(ctx, http.MethodDelete, name, nil)
}

// List returns every process that was ever started.
func (c *Client) List(ctx context.Context) ([]Status, error) {
	var all []Status
	err := c.do(ctx, http.MethodGet, "", nil, &all)
	return all, err
}

// Find returns one process; found is false if it was never started.
func (c *Client) Find(ctx context.Context, name string) (s Status, found bool, err error) {
	all, err := c.List(ctx)
	for _, s := range all {
		if s.Name == name {
			return s, true, err
		}
	}
	return Status{}, false, err
}

func (c *Client) one(ctx context.Context, method, name string, body []byte) (Status, error) {
	var s Status
	err := c.do(ctx, method, "/"+name, body, &s)
	return s, err
}

func (c *Client) do(ctx context.Context, method, path string, body []byte, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://supervisor/processes"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("ask the supervisor: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("ask the supervisor: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("supervisor: %s", strings.TrimSpace(string(answer)))
	}
	return json.Unmarshal(answer, into)
}
