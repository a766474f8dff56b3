package recording

import (
	"bytes"
	"context"
	"net"
	"sync"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/session"
)

// order watches that nothing is written to the target before a sync has begun after its
// record. kill -9 cannot show what a node's death would.
type order struct {
	mu sync.Mutex
	// recorded are the texts so far, synced how many of them a sync has covered.
	recorded [][]byte
	synced   int
}

func (o *order) syncing() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.synced = len(o.recorded)
}

func (o *order) record(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.recorded = append(o.recorded, []byte(text))
}

// wrote finds a text among what goes to the target.
func (o *order) wrote(p []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, text := range o.recorded[o.synced:] {
		if bytes.Contains(p, text) {
			tell(told{Early: string(text)})
		}
	}
}

func (o *order) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &watchedConn{conn, o}, nil
}

type watchedConn struct {
	net.Conn
	order *order
}

func (c *watchedConn) Write(p []byte) (int, error) {
	c.order.wrote(p)
	return c.Conn.Write(p)
}

// recorder notes what was recorded.
type recorder struct {
	session.Recorder
	order *order
}

func (r recorder) Begin(start record.Start) (session.Recording, error) {
	begun, err := r.Recorder.Begin(start)
	if err != nil {
		return nil, err
	}
	return noting{begun, r.order}, nil
}

type noting struct {
	session.Recording
	order *order
}

func (n noting) AppendOperation(operation *record.Operation, verdict *record.Verdict) error {
	// Before: where it fills its segment, it is on the disk when this returns.
	n.order.record(string(operation.Text))
	return n.Recording.AppendOperation(operation, verdict)
}
