package audit

import (
	"math/rand/v2"
	"time"
)

// backoff is exponential with full jitter above half, so that many that failed
// together do not come again together.
type backoff struct{ first, most time.Duration }

// after is how long to wait after so many failures in a row.
func (b backoff) after(failures int) time.Duration {
	wait := b.first << min(max(failures-1, 0), 16)
	wait = min(wait, b.most)
	return wait/2 + rand.N(wait/2+1) //nolint:gosec // jitter is no secret
}
