package audit

import (
	"sync"
	"time"
)

// maxQueued bounds what of one sink waits in memory, in bytes: thousands of events
// between a burst and the disk.
const maxQueued = 4 << 20

// entry is an encoded event, and the subject in whose order it stands.
type entry struct {
	subject string
	line    []byte
}

// queue is what was emitted and not yet taken. Once one event found no room, none is
// let in before the rest was taken: the gap has one place.
type queue struct {
	now func() time.Time
	// wake has a token when there is something to take, room when something was taken.
	wake, room chan struct{}

	mu      sync.Mutex
	entries []entry
	bytes   int
	dropped int64
	since   time.Time
	closed  bool
}

func newQueue(now func() time.Time) *queue {
	return &queue{now: now, wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// put says whether there was room.
func (q *queue) put(e entry) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.dropped > 0 || q.bytes+len(e.line) > maxQueued {
		if q.dropped == 0 {
			q.since = q.now()
		}
		q.dropped++
		return false
	}
	q.entries, q.bytes = append(q.entries, e), q.bytes+len(e.line)
	signal(q.wake)
	return true
}

// take hands over all that waits, and the gap behind it.
func (q *queue) take() (entries []entry, gap Dropped) {
	q.mu.Lock()
	defer q.mu.Unlock()
	entries, gap = q.entries, Dropped{Count: q.dropped, Since: q.since.UTC()}
	q.entries, q.bytes, q.dropped = nil, 0, 0
	signal(q.room)
	return entries, gap
}

// crowded says that half of the room is taken.
func (q *queue) crowded() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes > maxQueued/2
}

// close lets nothing in any more.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}
