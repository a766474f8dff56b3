package wire

import "bytes"

// The secret of a session is 4 bytes in protocol 3.0, and 4 to 256 in 3.2.
const (
	minBackendKey = 4
	maxBackendKey = 256
)

// BackendKey names a session, and proves the right to cancel in it.
type BackendKey struct {
	ProcessID uint32
	Secret    []byte
}

// String hides the secret.
func (BackendKey) String() string { return "[backend key]" }

// GoString hides the secret from %#v.
func (BackendKey) GoString() string { return "[backend key]" }

// ReadBackendKey reads the body of a BackendKeyData.
func ReadBackendKey(raw []byte) (BackendKey, error) {
	b := body{message: "BackendKeyData", rest: raw}
	k := b.backendKey()
	return k, b.done()
}

// backendKey takes a process ID and all that follows, as a copy.
func (b *body) backendKey() BackendKey {
	k := BackendKey{ProcessID: b.uint32()}
	if n := len(b.rest); n < minBackendKey || n > maxBackendKey {
		b.fail("a key has 4 to 256 bytes")
		return BackendKey{}
	}
	k.Secret = bytes.Clone(b.bytes(len(b.rest)))
	return k
}
