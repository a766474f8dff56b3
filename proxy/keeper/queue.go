package keeper

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
)

// queue is the segments that wait for the store, and those that are on their way: of each
// recording one at a time, so that no store ever has a recording with a gap. The keeper's
// mu guards it.
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

// next is the first segment that may go, or nil.
func (q *queue) next() *item {
	at := slices.IndexFunc(q.waiting, func(i *item) bool { return !i.recording.storing })
	if at < 0 {
		return nil
	}
	i := q.waiting[at]
	q.waiting = slices.Delete(q.waiting, at, at+1)
	i.recording.storing = true
	return i
}

func (q *queue) remove(i *item) {
	if at := slices.Index(q.pending, i); at >= 0 {
		q.pending = slices.Delete(q.pending, at, at+1)
	}
	q.count(-len(i.Content))
	i.recording.storing = false
	q.work.Signal()
}

func (q *queue) count(bytes int) {
	q.bytes += bytes
	q.full.Store(q.bytes > maxQueued)
}

// work stores what is queued, until the keeper is closed.
func (k *Keeper) work() {
	for {
		k.mu.Lock()
		next := k.queue.next()
		for next == nil && !k.closed {
			k.queue.work.Wait()
			next = k.queue.next()
		}
		closed := k.closed
		k.mu.Unlock()
		if closed {
			return
		}
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
		if errors.Is(err, fs.ErrExist) {
			k.refused(i.recording)
			return
		}
		if errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrQuota) {
			// Sessions need not wait for another attempt.
			k.mu.Lock()
			k.fail(err)
			k.mu.Unlock()
		}
		if !sleep(k.context, pause/2+rand.N(pause/2)) { //nolint:gosec // jitter, not a secret
			return
		}
	}
}

func (k *Keeper) put(name string, content []byte) error {
	ctx, cancel := context.WithTimeout(k.context, min(attemptTimeout, k.options.Patience/3))
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
	r, segment := i.recording, kept{i.Statement, i.Journal}
	r.stored = i.Segment
	var done []kept
	if r.newest != nil {
		done = append(done, *r.newest)
	}
	if r.newest = &segment; k.options.Seal == nil {
		r.newest, done = nil, append(done, segment)
	}
	k.mu.Unlock()
	k.drop(done...)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forget(r)
	k.broadcast()
	k.wakeSigner()
}

// refused gives up a recording in whose place something else lies: what was not stored of
// it stays in the spool.
func (k *Keeper) refused(r *recording) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, i := range slices.Clone(k.queue.pending) {
		if i.recording == r {
			k.queue.remove(i)
		}
	}
	k.queue.waiting = slices.DeleteFunc(k.queue.waiting, func(i *item) bool { return i.recording == r })
	r.sealed = r.stored
	r.refused.Store(true)
	k.forget(r)
	k.broadcast()
	k.options.Log.Error(errRefused, "A recording cannot be stored further", "session", r.session)
	// One whose process is dead has no session to end.
	if r.writer != nil {
		k.tell(errRefused)
	}
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
