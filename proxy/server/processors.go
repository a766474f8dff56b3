package server

import (
	"context"
	"time"
)

const (
	// lookAt is how often the process's load is looked at.
	lookAt = 250 * time.Millisecond
	// From more than crowded of one processor on, or muchBulk bytes in large pieces
	// between two looks, Go's scheduler gets all; below roomy, and less, it gets one again.
	crowded, roomy = 0.85, 0.7
	muchBulk       = 1 << 20
)

// Processors gives Go's scheduler one processor for as long as one is enough. A proxy of
// short messages waits most of the time: with a second processor each message wakes
// threads that find nothing to do, and takes a tenth more time. But with one, the network
// is looked at only when no session has anything left to do: one that is reading many rows
// would hold up the others. While there are several and one does, or they wait for a
// disk, or the process is busy, it gets all.
type Processors struct {
	// Most is how many there are.
	Most int
	// Used is the processor time that the process has used so far.
	Used func() (time.Duration, error)
	// Bulk is Server.Bulk, Clients is Server.Clients.
	Bulk, Clients func() int64
	// Flushes says that operations wait for a disk. A thread that does keeps its processor
	// until somebody notices: with one, the sessions' flushes come one after the other.
	Flushes func() bool
	// Set is runtime.GOMAXPROCS.
	Set func(int) int
	// Ticks come every lookAt; a ticker's by default.
	Ticks <-chan time.Time
}

// load is what was used up to a moment.
type load struct {
	at   time.Time
	used time.Duration
	bulk int64
}

// Watch sets them until ctx ends.
func (p *Processors) Watch(ctx context.Context) error {
	ticks := p.Ticks
	if ticks == nil {
		ticker := time.NewTicker(lookAt)
		defer ticker.Stop()
		ticks = ticker.C
	}
	given := 1
	p.Set(given)
	defer func() { p.Set(p.Most) }()
	var last load
	for {
		select {
		case <-ctx.Done():
			return nil
		case at := <-ticks:
			used, err := p.Used()
			if err != nil {
				return err
			}
			now := load{at, used, p.Bulk()}
			if next := p.next(given, last, now); next != given {
				given = next
				p.Set(given)
			}
			last = now
		}
	}
}

// next is how many to give after a while between two looks.
func (p *Processors) next(given int, last, now load) int {
	if last.at.IsZero() {
		return given
	}
	share := float64(now.used-last.used) / float64(now.at.Sub(last.at))
	switch bulk := now.bulk-last.bulk >= muchBulk; {
	case p.Clients() < 2:
		return 1
	case share > crowded, bulk, p.Flushes():
		return p.Most
	case share < roomy:
		return 1
	}
	return given
}
