// Package tunnel carries local connections to one port of one pod through the API
// server, by its port-forward.
package tunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"k8s.io/streaming/pkg/httpstream"
)

const (
	// maxConnections bounds the local connections at any time; more wait in the
	// listener's queue.
	maxConnections = 64
	// dialTimeout bounds the upgrade to the API server.
	dialTimeout = 30 * time.Second
	// protocol of port-forward.
	protocol = "portforward.k8s.io"
)

// Tunnel listens on 127.0.0.1. All connections share one stream connection to the
// API server, each with streams of its own; when that is lost, the next local
// connection makes another.
type Tunnel struct {
	listener net.Listener
	dialer   httpstream.Dialer
	port     int32
	// report takes what went wrong with a single connection.
	report func(error)

	mutex    sync.Mutex
	upstream httpstream.Connection
	requests int
}

// Open listens on a local port, 0 for any free one, and reaches the API server.
func Open(dialer httpstream.Dialer, remotePort int32, localPort int, report func(error)) (*Tunnel, error) {
	listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", localPort))
	if err != nil {
		return nil, fmt.Errorf("listen for local clients: %w", err)
	}
	t := &Tunnel{listener: listener, dialer: dialer, port: remotePort, report: report}
	if _, _, err := t.connection(); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return t, nil
}

// Single reaches the API server for one connection, which Carry carries.
func Single(dialer httpstream.Dialer, remotePort int32) (*Tunnel, error) {
	t := &Tunnel{dialer: dialer, port: remotePort}
	_, _, err := t.connection()
	return t, err
}

// Carry takes one local connection to the pod, until either end is done; it closes it.
func (t *Tunnel) Carry(ctx context.Context, local io.ReadWriteCloser) error {
	defer t.hangUp()
	return t.carry(ctx, local)
}

// Port is the local port.
func (t *Tunnel) Port() int { return t.listener.Addr().(*net.TCPAddr).Port }

// Serve carries connections until the context ends, and returns when the last of
// them is closed.
func (t *Tunnel) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var connections sync.WaitGroup
	defer connections.Wait()
	defer t.hangUp()
	stop := context.AfterFunc(ctx, func() { _ = t.listener.Close() })
	defer stop()

	slots := make(chan struct{}, maxConnections)
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		client, err := t.listener.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = client.Close()
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept a local client: %w", err)
		}
		connections.Go(func() {
			defer func() { <-slots }()
			if err := t.carry(ctx, client); err != nil && ctx.Err() == nil {
				t.report(err)
			}
		})
	}
}

// connection is the living stream connection, or a new one, and the number of the
// next request on it.
func (t *Tunnel) connection() (httpstream.Connection, int, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.upstream != nil {
		select {
		case <-t.upstream.CloseChan():
			t.upstream = nil
		default:
		}
	}
	if t.upstream == nil {
		upstream, err := dial(t.dialer)
		if err != nil {
			return nil, 0, fmt.Errorf("reach the proxy through the API server: %w", err)
		}
		t.upstream = upstream
	}
	t.requests++
	return t.upstream, t.requests, nil
}

// hangUp closes the stream connection, which ends whatever runs on it.
func (t *Tunnel) hangUp() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.upstream != nil {
		_ = t.upstream.Close()
	}
}

// dial bounds a Dial that takes no context; one that answers too late is closed.
func dial(dialer httpstream.Dialer) (httpstream.Connection, error) {
	type answer struct {
		connection httpstream.Connection
		err        error
	}
	answers := make(chan answer)
	late := make(chan struct{})
	defer close(late)
	go func() {
		connection, version, err := dialer.Dial(protocol)
		if err == nil && version != protocol {
			err = errors.Join(fmt.Errorf("the API server speaks %q, not %s", version, protocol), connection.Close())
		}
		select {
		case answers <- answer{connection, err}:
		case <-late:
			if err == nil {
				_ = connection.Close()
			}
		}
	}()
	select {
	case a := <-answers:
		return a.connection, a.err
	case <-time.After(dialTimeout):
		return nil, fmt.Errorf("no answer within %s", dialTimeout)
	}
}
