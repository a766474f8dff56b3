package session

import (
	"fmt"
	"math/bits"
	"time"
)

// loss is what went unrecorded under a policy that takes that.
type loss struct {
	events int64
	since  time.Time
	why    error
}

// String is one line, empty while nothing is lost.
func (l loss) String() string {
	if l.events == 0 {
		return ""
	}
	// In powers of two: each change is a write of the request's status.
	atLeast := int64(1) << (bits.Len64(uint64(l.events)) - 1)
	return fmt.Sprintf("since %s at least %d events: %v", l.since.UTC().Format(time.RFC3339), atLeast, l.why)
}

// lose notes what could not be recorded.
func (t *Task) lose(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lost.events == 0 {
		t.options.Log.Error(err, "Recording failed: sessions go on, as their policy says")
		t.lost.since, t.lost.why = t.options.Now(), err
		t.urgent = true
		t.poke()
	}
	t.lost.events++
}
