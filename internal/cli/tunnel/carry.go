package tunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/streaming/pkg/httpstream"
)

const (
	// maxMessage bounds what the far end may say about a failure.
	maxMessage = 4096
	// lastWord is how long the far end has to say it.
	lastWord = 2 * time.Second
)

// carry takes one local connection to the pod: an error stream and a data stream,
// as the kubelet wants them.
func (t *Tunnel) carry(ctx context.Context, client io.ReadWriteCloser) error {
	defer func() { _ = client.Close() }()
	upstream, request, err := t.connection()
	if err != nil {
		return err
	}
	headers := http.Header{}
	headers.Set(corev1.PortHeader, strconv.Itoa(int(t.port)))
	headers.Set(corev1.PortForwardRequestIDHeader, strconv.Itoa(request))

	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	failure, err := upstream.CreateStream(headers)
	if err != nil {
		return fmt.Errorf("open a stream to the proxy: %w", err)
	}
	defer upstream.RemoveStreams(failure)
	_ = failure.Close() // we write nothing to it

	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := upstream.CreateStream(headers)
	if err != nil {
		return fmt.Errorf("open a stream to the proxy: %w", errors.Join(err, failure.Reset()))
	}
	defer upstream.RemoveStreams(data)

	pump(ctx, client, data, upstream.CloseChan())
	return verdict(failure)
}

// pump copies both ways until the far end is done, the near end fails, or either
// connection is lost. It returns when both copies have.
func pump(ctx context.Context, client io.ReadWriteCloser, data httpstream.Stream, lost <-chan bool) {
	down, up := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(down)
		_, _ = io.Copy(client, data)
	}()
	var failed error // of the upload; read once up is closed
	go func() {
		defer close(up)
		_, failed = io.Copy(data, client)
		_ = data.Close() // half: the client may still read
	}()
	select {
	case <-down:
	case <-lost:
	case <-ctx.Done():
	case <-up:
		if failed == nil {
			select {
			case <-down:
			case <-lost:
			case <-ctx.Done():
			}
		}
	}
	// Resetting discards what was not sent, and so frees both copies.
	_ = data.Reset()
	_ = client.Close()
	<-down
	<-up
}

// verdict is what the far end says about a connection that is over: nothing, if
// all went well.
func verdict(failure httpstream.Stream) error {
	timer := time.AfterFunc(lastWord, func() { _ = failure.Reset() })
	defer timer.Stop()
	message, _ := io.ReadAll(io.LimitReader(failure, maxMessage))
	if len(message) > 0 {
		return fmt.Errorf("port-forward: %s", message)
	}
	return nil
}
