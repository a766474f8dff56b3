package server

import (
	"context"
	"time"
)

const (
	// lookAt is how often the process's use of processor time is looked at.
	lookAt = 250 * time.Millisecond
	// From more than crowded of one processor on, Go's scheduler gets all; below
	// roomy of one, it gets one again.
	crowded, roomy = 0.85, 0.7
)

// Processors gives Go's scheduler one processor for as long as one is enough. A proxy of
// short messages waits most of the time: with a second processor each message wakes
// threads that find nothing to do, and takes a fifth more time. With one, the network is
// looked at only between goroutines, so a session that is masking much would hold up the
// others: a process that is busy gets all.
type Processors struct {
	// Most is how many there are.
	Most int
	// Used is the processor time that the process has used so far.
	Used func() (time.Duration, error)
	// Set is runtime.GOMAXPROCS.
	Set func(int) int
	// Ticks come every lookAt; a ticker's by default.
	Ticks <-chan time.Time
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
	var last time.Time
	var before time.Duration
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticks:
			used, err := p.Used()
			if err != nil {
				return err
			}
			if !last.IsZero() {
				share := float64(used-before) / float64(now.Sub(last))
				if next := p.next(given, share); next != given {
					given = next
					p.Set(given)
				}
			}
			last, before = now, used
		}
	}
}

// next is how many to give after a while in which the process has used that share of one.
func (p *Processors) next(given int, share float64) int {
	switch {
	case share > crowded:
		return p.Most
	case share < roomy:
		return 1
	}
	return given
}
