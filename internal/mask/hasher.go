package mask

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"slices"
	"sync"
)

// hasher is HMAC-SHA256 (RFC 2104) under one key. It keeps states for reuse, because
// setting one up costs more than hashing a short value, and shows nobody its key.
type hasher struct{ states sync.Pool }

func newHasher(key []byte) *hasher {
	if len(key) == 0 {
		return nil
	}
	key = slices.Clone(key)
	return &hasher{states: sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
}

func (h *hasher) sum(value []byte) (sum [sha256.Size]byte) {
	state := h.states.Get().(hash.Hash)
	state.Reset()
	state.Write(value)
	state.Sum(sum[:0])
	h.states.Put(state)
	return sum
}
