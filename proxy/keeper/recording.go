package keeper

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/record"
)

// recording is one session's.
type recording struct {
	keeper  *Keeper
	session string
	folder  string
	how     grant.Recording
	// writer is nil for one whose process is dead.
	writer *record.Writer

	// wanted counts what was appended and must be settled before the target sees more;
	// settled is how much of it is.
	wanted, settled atomic.Int64
	settling        sync.Mutex
	rotating        atomic.Bool
	// signed is the newest segment that the manager has signed.
	signed atomic.Pointer[record.Signature]

	// The keeper's mu guards the rest. sealed segments were handed over, stored of them are
	// in the store; storing says that the next is on its way.
	sealed, stored int
	storing, ended bool
	// refused says that something else lies where the next would go, or that one is lost.
	refused atomic.Bool
	// newest of the stored ones, if it is to be signed.
	newest *kept
}

// kept is a segment that is stored, and its file in the spool.
type kept struct {
	statement record.Statement
	journal   string
}

// Append implements session.Recording.
func (r *recording) Append(events ...record.Event) error {
	// The end waits for nobody.
	if len(events) != 1 || events[0].Type != record.EventEnd {
		if err := r.room(); err != nil {
			return err
		}
	}
	if err := r.writer.Append(events...); err != nil {
		return err
	}
	for i := range events {
		if !happened(events[i].Type) {
			r.wanted.Add(1)
		}
	}
	return nil
}

// happened says that an event tells of what has happened already, and keeps nothing
// waiting until it is settled.
func happened(kind record.EventType) bool {
	return kind == record.EventResult || kind == record.EventOutput || kind == record.EventTerminal ||
		kind == record.EventNotice || kind == record.EventEnd
}

// AppendOperation implements session.Recording.
func (r *recording) AppendOperation(operation *record.Operation, verdict *record.Verdict) error {
	if err := r.room(); err != nil {
		return err
	}
	if err := r.writer.AppendOperation(operation, verdict); err != nil {
		return err
	}
	r.wanted.Add(1)
	return nil
}

// AppendResult implements session.Recording.
func (r *recording) AppendResult(result *record.Result) error {
	if err := r.room(); err != nil {
		return err
	}
	return r.writer.AppendResult(result)
}

// Settle implements session.Recording.
func (r *recording) Settle(ctx context.Context) error {
	if r.how.Durability == v1alpha1.DurabilityProcess || r.how.Durability == "" {
		return nil // the kernel has it
	}
	if r.settled.Load() >= r.wanted.Load() {
		return nil
	}
	// Whoever waits here shares the next one's sync.
	r.settling.Lock()
	defer r.settling.Unlock()
	wanted := r.wanted.Load()
	if r.settled.Load() >= wanted {
		return nil
	}
	err := r.settle(ctx)
	if err == nil {
		r.settled.Store(wanted)
	}
	return err
}

func (r *recording) settle(ctx context.Context) error {
	if r.how.Durability != v1alpha1.DurabilityRemote {
		return r.writer.Sync()
	}
	if err := r.writer.Rotate(); err != nil {
		return err
	}
	k := r.keeper
	k.mu.Lock()
	last := r.sealed
	k.mu.Unlock()
	bounded, cancel := context.WithTimeout(ctx, k.options.Patience)
	defer cancel()
	var broken error
	err := k.await(bounded, func() bool {
		if broken = k.broken; r.refused.Load() {
			broken = errRefused
		}
		return r.stored >= last || broken != nil
	})
	if err != nil {
		return fmt.Errorf("the store has not acknowledged the record: %w", err)
	}
	return broken
}

// Head implements session.Recording.
func (r *recording) Head() record.Head { return r.writer.Head() }

// Sealed implements session.Recording.
func (r *recording) Sealed() (record.Signature, bool) {
	if signed := r.signed.Load(); signed != nil {
		return *signed, true
	}
	return record.Signature{}, false
}

// Close implements session.Recording. The last segment is stored and signed later.
func (r *recording) Close() error {
	err := r.writer.Close()
	k := r.keeper
	k.mu.Lock()
	defer k.mu.Unlock()
	r.ended = true
	k.forget(r)
	return err
}

// rotate seals the open segment if it is old.
func (r *recording) rotate(now time.Time) {
	if !r.writer.Due(now) {
		return
	}
	// A session whose segment has aged before it was full does not write much.
	if err := r.writer.Rest(); err != nil {
		r.keeper.mu.Lock()
		defer r.keeper.mu.Unlock()
		r.keeper.options.Log.Error(err, "A segment could not be sealed", "session", r.session)
		r.keeper.tell(err)
	}
}

// take queues a sealed segment. The writer calls it.
func (r *recording) take(sealed record.Sealed) {
	k := r.keeper
	err := k.options.At(PointQueued)
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err != nil:
		// What comes after it would leave a gap.
		r.refused.Store(true)
		k.tell(err)
		return
	case r.refused.Load():
		return
	}
	k.queue.add(r, sealed, k.options.Now())
}

// forget lets go of a recording that has ended, and of which nothing is left to do.
// Callers hold mu.
func (k *Keeper) forget(r *recording) {
	if !r.ended || r.stored < r.sealed || r.newest != nil {
		return
	}
	delete(k.recordings, r)
	tidy(r.folder)
	k.broadcast()
}

// errRefused is a recording in whose place something else lies.
var errRefused = errors.New("the store holds something else in the recording's place")

// errStalled is a store that is too slow for what is recorded.
var errStalled = errors.New("the recordings store takes nothing more")

// room says no to what would never be stored: it is lost, and whoever counts losses is to
// know.
func (r *recording) room() error {
	if r.refused.Load() {
		return errRefused
	}
	return r.keeper.room(r.how.BestEffort)
}

// room waits while too much waits for the store.
func (k *Keeper) room(bestEffort bool) error {
	if !k.queue.full.Load() {
		return nil
	}
	if bestEffort {
		return errStalled
	}
	ctx, cancel := context.WithTimeoutCause(k.context, k.options.Patience, errStalled)
	defer cancel()
	var broken error
	if k.await(ctx, func() bool {
		broken = k.broken
		return !k.queue.full.Load() || broken != nil
	}) != nil {
		return context.Cause(ctx)
	}
	return broken
}
