// Package tunneltest is the far end of a port-forward, for tests: what an API
// server and a kubelet do together.
package tunneltest

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// Kubelet answers port-forwards of one pod, by SPDY alone.
type Kubelet struct {
	T testing.TB
	// Path of the pod's port-forward; all others are forbidden.
	Path string
	// Pod answers what arrives at its port.
	Pod func(stream io.ReadWriter) error

	mutex       sync.Mutex
	connections []httpstream.Connection
	ports       []string
}

// ServeHTTP upgrades, and serves streams until the connection is closed.
func (k *Kubelet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != k.Path || !strings.HasPrefix(r.Header.Get("Upgrade"), "SPDY") {
		http.Error(w, "no such thing", http.StatusForbidden)
		return
	}
	if _, err := httpstream.Handshake(r, w, []string{"portforward.k8s.io"}); err != nil {
		k.T.Errorf("handshake: %v", err)
		return
	}
	streams := make(chan httpstream.Stream, 16)
	connection := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(stream httpstream.Stream, _ <-chan struct{}) error {
		streams <- stream
		return nil
	})
	k.mutex.Lock()
	k.connections = append(k.connections, connection)
	k.mutex.Unlock()
	failures := map[string]httpstream.Stream{}
	var running sync.WaitGroup
	defer running.Wait()
	for {
		select {
		case stream := <-streams:
			id := stream.Headers().Get(corev1.PortForwardRequestIDHeader)
			if stream.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
				failures[id] = stream
				continue
			}
			k.mutex.Lock()
			k.ports = append(k.ports, stream.Headers().Get(corev1.PortHeader))
			k.mutex.Unlock()
			failure := failures[id]
			running.Go(func() {
				if err := k.Pod(stream); err != nil {
					_, _ = io.WriteString(failure, err.Error())
				}
				_ = stream.Close()
				_ = failure.Close()
			})
		case <-connection.CloseChan():
			return
		}
	}
}

// Lose closes every connection, as a pod does that is gone.
func (k *Kubelet) Lose() {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	for _, c := range k.connections {
		_ = c.Close()
	}
}

// Seen says how many connections there were, and which ports were asked for.
func (k *Kubelet) Seen() (connections int, ports []string) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	return len(k.connections), append([]string(nil), k.ports...)
}
