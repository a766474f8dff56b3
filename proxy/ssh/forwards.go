package ssh

import (
	"sync"

	"golang.org/x/crypto/ssh"
)

// forwards are the client's sides of forwarded connections, so that they end when the
// session does: whatever carries the connection may be slow to say that it is gone.
type forwards struct {
	mu   sync.Mutex
	open map[ssh.Channel]struct{}
}

// add keeps a channel until what it returns is called.
func (f *forwards) add(channel ssh.Channel) (remove func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open == nil {
		f.open = map[ssh.Channel]struct{}{}
	}
	f.open[channel] = struct{}{}
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.open, channel)
	}
}

// endings close each of them.
func (f *forwards) endings() (all []func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for channel := range f.open {
		all = append(all, func() { _ = channel.Close() })
	}
	return all
}
