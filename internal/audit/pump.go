package audit

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
)

// pump hands what was emitted to a writer in batches, in order, and tries again until
// all of it is taken. While the writer takes nothing the queue fills, and then drops.
type pump struct {
	queue *queue
	// write says how many entries it has taken.
	write   func([]entry) (int, error)
	gap     func(Dropped) (entry, error)
	backoff backoff
	count   counters
	log     logr.Logger
	// failing says that the writer has not taken anything since it failed.
	failing atomic.Bool
}

// settle waits until there is room again, for as long as waiting can help: a writer
// that takes nothing until ctx ends is not waited for again.
func (p *pump) settle(ctx context.Context) {
	for p.queue.crowded() && !p.failing.Load() {
		select {
		case <-p.queue.room:
		case <-ctx.Done():
			p.failing.Store(true)
		}
	}
}

// run pumps until ctx ends; then it lets nothing more in, and tries once more.
func (p *pump) run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-p.queue.wake:
			p.flush(ctx)
		}
	}
	p.queue.close()
	p.flush(ctx)
}

// flush writes what is there. When ctx has ended, what the writer does not take at once
// is dropped.
func (p *pump) flush(ctx context.Context) {
	batch, gap := p.queue.take()
	if gap.Count > 0 {
		p.log.Info("audit events were dropped: there was no room for them", "events", gap.Count, "since", gap.Since)
		if told, err := p.gap(gap); err == nil {
			batch = append(batch, told)
		}
	}
	for failures := 0; len(batch) > 0; {
		written, err := p.write(batch)
		batch = batch[written:]
		if written > 0 {
			failures = 0
		}
		p.failing.Store(err != nil)
		if err == nil {
			continue
		}
		signal(p.queue.room)
		p.count.failed.Inc()
		if failures++; failures == 1 {
			p.log.Error(err, "audit events wait: they cannot be written", "events", len(batch))
		}
		if !sleep(ctx, p.backoff.after(failures)) {
			p.log.Info("audit events were dropped: they could not be written before the end", "events", len(batch))
			p.count.dropped.Add(float64(len(batch)))
			return
		}
	}
}

// sleep says whether d passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
