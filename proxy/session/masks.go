package session

import (
	"crypto/hkdf"
	"crypto/sha256"

	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/mask"
	"github.com/sallyport/sallyport/internal/policy"
)

// Masks are what the newest policy masks; nil where it masks nothing.
func (s *Session) Masks() *mask.Set { return s.task.current.Load().masks }

// masksOf keys the policy's masks: hashes are stable within the task, and nobody
// without its credential can make or compare them.
func masksOf(compiled *policy.Policy, state grant.State) *mask.Set {
	if compiled == nil {
		return nil
	}
	masks := compiled.Masks()
	if masks == nil {
		return nil
	}
	var secret string
	if upstream := state.Grant.Postgres; upstream != nil {
		secret = upstream.Password.Reveal() + "\x00" + upstream.ClientKey.Reveal()
	}
	if state.Grant.SSH != nil {
		// A certificate is no secret; the task's own host key is.
		secret = state.HostKey.Reveal()
	}
	// HKDF-SHA256 (RFC 5869), the request's UID as salt. It fails for lengths alone.
	key, err := hkdf.Key(sha256.New, []byte(secret), []byte(state.Task.RequestUID), "sallyport masks", sha256.Size)
	if err != nil {
		return masks
	}
	return masks.WithKey(key)
}
