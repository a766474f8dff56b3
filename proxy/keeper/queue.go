package keeper

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
)

// queue is the segments that wait for the store, and those that are on their way. The
// keeper's mu guards it.
type queue struct {
	waiting []*item
	// pending are all that are not stored, in the order in which they came.
	pending []*item
	bytes   int
	full    atomic.Bool
	work    *sync.Cond
}

// item is one sealed segment.
type item struct {
	record.Sealed

	recording *recording
	since     time.Time
	// tried is why the newest attempt failed.
	tried atomic.Pointer[error]
}

func (i *item) failure() error {
	if err := i.tried.Load(); err != nil {
		return *err
	}
	return errStalled
}

func (q *queue) oldest() *item {
	if len(q.pending) == 0 {
		return nil
	}
	return q.pending[0]
}

func (q *queue) isEmpty() bool { return len(q.pending) == 0 }

func (q *queue) add(r *recording, sealed record.Sealed, now time.Time) {
	i := &item{Sealed: sealed, recording: r, since: now}
	r.sealed = sealed.Segment
	q.waiting, q.pending = append(q.waiting, i), append(q.pending, i)
	q.count(len(i.Content))
	q.work.Signal()
}

func (q *queue) next() *item {
	i := q.waiting[0]
	q.waiting[0] = nil
	q.waiting = q.waiting[1:]
	return i
}

func (q *queue) remove(i *item) {
	for at, other := range q.pending {
		if other == i {
			q.pending = append(q.pending[:at:at], q.pending[at+1:]...)
			break
		}
	}
	q.count(-len(i.Content))
}

func (q *queue) count(bytes int) {
	q.bytes += bytes
	q.full.Store(q.bytes > maxQueued)
}

// work stores what is queued, until the keeper is closed.
func (k *Keeper) work() {
	for {
		k.mu.Lock()
		for len(k.queue.waiting) == 0 && !k.closed {
			k.queue.work.Wait()
		}
		if k.closed {
			k.mu.Unlock()
			return
		}
		next := k.queue.next()
		k.mu.Unlock()
		k.keep(next)
	}
}

const (
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// keep stores one segment, however often that takes: sessions end when it takes too
// long, but what they have recorded is still worth keeping.
func (k *Keeper) keep(i *item) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := k.put(store.SegmentName(i.Session, i.Segment), i.Content)
		if err == nil {
			k.stored(i)
			return
		}
		i.tried.Store(&err)
		k.options.Log.Info("A segment was not stored yet", "session", i.Session, "segment", i.Segment, "reason", err.Error())
		if final(err) {
			k.mu.Lock()
			k.fail(err)
			k.mu.Unlock()
		}
		if errors.Is(err, fs.ErrExist) {
			k.refused(i)
			return
		}
		if !sleep(k.context, pause/2+rand.N(pause/2)) { //nolint:gosec // jitter, not a secret
			return
		}
	}
}

// final says that sessions need not wait for another attempt.
func final(err error) bool {
	return errors.Is(err, fs.ErrExist) || errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrQuota)
}

func (k *Keeper) put(name string, content []byte) error {
	ctx, cancel := context.WithTimeout(k.context, min(attemptTimeout, k.options.Patience))
	defer cancel()
	if err := k.options.At(PointStore); err != nil {
		return err
	}
	return k.destination.store.Put(ctx, name, content)
}

// stored notes that the store has a segment, and drops from the spool what is no longer
// needed there: the newest is, until it is signed.
func (k *Keeper) stored(i *item) {
	if err := k.options.At(PointStored); err != nil {
		k.options.Log.Info("Stopped after a segment was stored", "reason", err.Error())
		return
	}
	k.mu.Lock()
	k.queue.remove(i)
	k.broken = nil
	done := i.recording.advance(kept{i.Statement, i.Journal})
	if newest := i.recording.newest; newest != nil && k.options.Seal == nil {
		done = append(done, *newest)
		i.recording.newest = nil
	}
	k.mu.Unlock()
	k.drop(done...)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forget(i.recording)
	k.broadcast()
	k.wakeSigner()
}

// advance takes a segment that is stored, and returns those that are no longer needed in
// the spool. The keeper's mu is held.
func (r *recording) advance(stored kept) (done []kept) {
	if r.early == nil {
		r.early = map[int]kept{}
	}
	r.early[stored.statement.Segment] = stored
	for {
		next, ok := r.early[r.stored+1]
		if !ok {
			return done
		}
		delete(r.early, r.stored+1)
		r.stored++
		if r.newest != nil {
			done = append(done, *r.newest)
		}
		r.newest = &next
	}
}

// refused gives up a segment in whose place something else lies. Its file stays in the
// spool, and so do those of the segments after it.
func (k *Keeper) refused(i *item) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.queue.remove(i)
	k.broadcast()
}

// drop removes files of the spool. mu is not held: a disk may stall.
func (k *Keeper) drop(done ...kept) {
	for _, segment := range done {
		err := k.options.At(PointDropped)
		if err == nil {
			err = os.Remove(segment.journal)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			k.options.Log.Error(err, "A segment that is stored stays in the spool, too")
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
