package postgres

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"sync"
	"time"

	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

const (
	// maxSessions bounds the registry; a task's policy allows far fewer.
	maxSessions = 1024
	// cancelTimeout bounds passing a request on.
	cancelTimeout = 5 * time.Second
)

// registry holds the sessions that a cancel request may name. The keys in it are
// our own: no client ever learns the target's.
type registry struct {
	mu     sync.Mutex
	places map[uint32]*place
}

// place is one session in the registry.
type place struct {
	registry *registry
	key      wire.BackendKey

	mu   sync.Mutex
	call func(context.Context) error
}

// newKey is a random key: of 4 bytes in protocol 3.0, which has room for no more,
// and of 32 after.
func newKey(version uint32) (wire.BackendKey, error) {
	secret := make([]byte, 4)
	if version >= wire.Version32 {
		secret = make([]byte, 32)
	}
	var id [4]byte
	if _, err := rand.Read(secret); err != nil {
		return wire.BackendKey{}, err
	}
	if _, err := rand.Read(id[:]); err != nil {
		return wire.BackendKey{}, err
	}
	// Positive, as process IDs are: some clients keep it signed. It is random too, so
	// that a 3.0 client's 4 bytes are not all there is to guess.
	return wire.BackendKey{ProcessID: binary.BigEndian.Uint32(id[:])&0x7fffffff | 1, Secret: secret}, nil
}

func (r *registry) add(key wire.BackendKey) (*place, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, taken := r.places[key.ProcessID]; taken || len(r.places) >= maxSessions {
		return nil, &fault{code: codeTooManySessions, message: "this proxy has as many sessions as it takes: connect again later"}
	}
	if r.places == nil {
		r.places = map[uint32]*place{}
	}
	p := &place{registry: r, key: key}
	r.places[key.ProcessID] = p
	return p, nil
}

// cancel passes a request on to the session that it names, if its secret is right.
// Nobody is told whether it was.
func (r *registry) cancel(ctx context.Context, key wire.BackendKey) {
	r.mu.Lock()
	p := r.places[key.ProcessID]
	r.mu.Unlock()
	if p == nil || subtle.ConstantTimeCompare(p.key.Secret, key.Secret) != 1 {
		return
	}
	p.mu.Lock()
	call := p.call
	p.mu.Unlock()
	if call == nil {
		return
	}
	ctx, done := context.WithTimeout(ctx, cancelTimeout)
	defer done()
	// It may come too late, or the target may not take it: as with PostgreSQL itself.
	_ = call(ctx)
}

// cancels sets what a cancel request does from now on.
func (p *place) cancels(call func(context.Context) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.call = call
}

// leave ends the session's right to be cancelled.
func (p *place) leave() {
	p.registry.mu.Lock()
	defer p.registry.mu.Unlock()
	delete(p.registry.places, p.key.ProcessID)
}
