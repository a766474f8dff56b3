package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-logr/logr"
)

const (
	// lanes is how many events are under way to a webhook at once. A subject has one
	// lane, so that its order is kept.
	lanes = 4
	// giveUp is when an event that an endpoint fails on is put with the dead letters.
	giveUp = 72 * time.Hour
)

// webhook delivers to one endpoint, over a spool a lane.
type webhook struct {
	name     string
	endpoint *endpoint
	backoff  backoff
	// grace is how long what is spooled is still delivered at the end.
	grace time.Duration
	lanes []*lane
	dead  deadLetters
	tell  func(Event)
	now   func() time.Time
	count counters
	log   logr.Logger
}

type lane struct {
	pump  *pump
	spool *spool
}

func (w *webhook) put(e entry) bool {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(e.subject))
	return w.lanes[hash.Sum32()%uint32(len(w.lanes))].pump.queue.put(e)
}

func (w *webhook) settle(ctx context.Context) {
	for _, l := range w.lanes {
		l.pump.settle(ctx)
	}
}

// openLanes opens the spools below dir, sharing limit.
func (w *webhook) openLanes(dir string, limit int64, newPump func(func([]entry) (int, error)) *pump) error {
	for i := range lanes {
		spool, err := openSpool(filepath.Join(dir, fmt.Sprintf("lane-%d", i)), limit/lanes)
		if err != nil {
			return errors.Join(err, w.close())
		}
		w.lanes = append(w.lanes, &lane{spool: spool, pump: newPump(func(entries []entry) (int, error) {
			lines := make([][]byte, 0, len(entries))
			for _, e := range entries {
				lines = append(lines, e.line)
			}
			n, err := spool.append(lines)
			w.count.spooled.Set(float64(w.waiting()))
			return n, err
		})})
	}
	return nil
}

// run spools and delivers until ctx ends; then it spools what is left, and delivers
// for a short while more.
func (w *webhook) run(ctx context.Context) {
	delivering, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	w.count.spooled.Set(float64(w.waiting()))
	var pumps, senders sync.WaitGroup
	drained := make(chan struct{})
	for _, l := range w.lanes {
		pumps.Go(func() { l.pump.run(ctx) })
		senders.Go(func() { w.deliver(delivering, l.spool, drained) })
	}
	pumps.Wait()
	close(drained)
	timer := time.AfterFunc(w.grace, cancel)
	defer timer.Stop()
	senders.Wait()
	w.count.spooled.Set(float64(w.waiting()))
	if err := w.close(); err != nil {
		w.log.Error(err, "close the audit spool")
	}
}

// deliver takes a lane's events one by one, until ctx ends or, once drained is closed,
// none is left.
func (w *webhook) deliver(ctx context.Context, s *spool, drained <-chan struct{}) {
	failures := 0
	for ctx.Err() == nil {
		line, err := s.next()
		switch {
		case err != nil:
			failures++
			w.log.Error(err, "audit events wait: the spool cannot be read")
			sleep(ctx, w.backoff.after(failures))
		case line != nil:
			failures = 0
			w.deliverOne(ctx, s, line)
		default:
			select {
			case <-ctx.Done():
			case <-s.wake:
			case <-drained:
				if s.length() == 0 {
					return
				}
			}
		}
	}
}

// deliverOne tries until an event is delivered or given up, or ctx ends.
func (w *webhook) deliverOne(ctx context.Context, s *spool, line []byte) {
	begun := w.now()
	for failures := 1; ; failures++ {
		result, wait, err := w.endpoint.post(ctx, line)
		if result == later && w.now().Sub(begun) >= giveUp {
			result, err = never, fmt.Errorf("given up after %s: %w", giveUp, err)
		}
		if result == never {
			// Without the dead letter the event would be gone.
			if deadErr := w.bury(line, err); deadErr != nil {
				result, err = later, deadErr
			}
		}
		if result != later {
			if result == taken {
				w.count.delivered.Inc()
			}
			if err := s.done(line); err != nil {
				w.log.Error(err, "an audit event may be delivered twice")
			}
			w.count.spooled.Set(float64(w.waiting()))
			return
		}
		if ctx.Err() != nil {
			return
		}
		w.count.failed.Inc()
		if failures == 1 {
			w.log.Info("audit events wait: the webhook does not take them", "reason", err.Error())
		}
		if !sleep(ctx, max(wait, w.backoff.after(failures))) {
			return
		}
	}
}

// bury puts an event with the dead letters, and tells of it; not of the telling,
// though.
func (w *webhook) bury(line []byte, reason error) error {
	if err := w.dead.put(line, reason, w.now()); err != nil {
		return err
	}
	w.count.dead.Inc()
	var h head
	_ = json.Unmarshal(line, &h)
	w.log.Info("an audit event is with the dead letters", "event", h.ID, "type", h.Type, "reason", reason.Error())
	if h.Type != StreamUndeliverable {
		w.tell(New(StreamUndeliverable, Subject{}, w.now(), Undeliverable{Event: h.ID, Type: h.Type, Sink: w.name, Message: reason.Error()}, w.name, h.ID))
	}
	return nil
}

func (w *webhook) waiting() int64 {
	n := int64(0)
	for _, l := range w.lanes {
		n += l.spool.length()
	}
	return n
}

func (w *webhook) close() error {
	errs := []error{w.dead.close()}
	for _, l := range w.lanes {
		errs = append(errs, l.spool.close())
	}
	return errors.Join(errs...)
}
