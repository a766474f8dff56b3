package enforce

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"sync"
	"time"
)

// patience bounds how long a pod's start waits for its rules.
const patience = 20 * time.Second

type podKey struct{ namespace, name string }

// sandbox is a pod's network, from the CNI plugin's ADD to its DEL.
type sandbox struct {
	podKey
	ip string
	// ready is closed once the rules know the pod.
	ready chan struct{}
	once  sync.Once
}

func (s *sandbox) release() { s.once.Do(func() { close(s.ready) }) }

// sandboxes are those that the plugin has told of.
type sandboxes struct {
	mu      sync.Mutex
	byID    map[string]*sandbox
	changed func()
}

func newSandboxes(changed func()) *sandboxes {
	return &sandboxes{byID: map[string]*sandbox{}, changed: changed}
}

func (s *sandboxes) list() []*sandbox {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*sandbox, 0, len(s.byID))
	for _, one := range s.byID {
		all = append(all, one)
	}
	return all
}

// notice is the plugin's message: one JSON object; the answer is another.
type notice struct {
	Remove    bool   `json:"remove,omitempty"`
	ID        string `json:"id"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	IP        string `json:"ip,omitempty"`
}

type reply struct {
	Error string `json:"error,omitempty"`
}

func (s *sandboxes) serve(ctx context.Context, socket string) error {
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go s.answer(conn)
	}
}

func (s *sandboxes) answer(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(patience + 5*time.Second)); err != nil {
		return
	}
	var n notice
	if err := json.NewDecoder(conn).Decode(&n); err != nil {
		return
	}
	var r reply
	if err := s.take(n); err != nil {
		r.Error = err.Error()
	}
	_ = json.NewEncoder(conn).Encode(r)
}

// take notes what the plugin says. For a new pod it returns when the rules know it.
func (s *sandboxes) take(n notice) error {
	s.mu.Lock()
	if n.Remove {
		delete(s.byID, n.ID)
		s.mu.Unlock()
		s.changed()
		return nil
	}
	one := &sandbox{podKey: podKey{n.Namespace, n.Name}, ip: n.IP, ready: make(chan struct{})}
	// A pod has one sandbox: of an older one the DEL may still be on its way.
	maps.DeleteFunc(s.byID, func(_ string, other *sandbox) bool { return other.podKey == one.podKey })
	s.byID[n.ID] = one
	s.mu.Unlock()
	s.changed()

	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-one.ready:
		return nil
	case <-timer.C:
		return fmt.Errorf("no rules for pod %s/%s after %s", n.Namespace, n.Name, patience)
	}
}
