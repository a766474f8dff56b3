// Package keeper keeps the recordings of a task: it has segments stored, and signed by
// the manager, and says so when that fails. Nothing of it stands in an operation's way
// but what the policy's durability wants.
package keeper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"sync"
	"time"

	"filippo.io/age"
	"github.com/go-logr/logr"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/proxy/session"
)

// Options of a Keeper.
type Options struct {
	// Directory of the task's recordings on a volume; "" if there is none.
	Directory string
	// Quota is what the task's recordings may take on the volume, in bytes; 0 is no bound
	// but the volume's.
	Quota int64
	// Spool is a directory for what is not stored yet, where that may not lie on the
	// volume; "" if there is none.
	Spool string
	// Seal has segments signed, control.MaxSeal at most; nil leaves them unsigned.
	Seal func(context.Context, []record.Statement) ([]record.Signature, error)
	// Places says where a bucket takes segments; nil is a proxy without one.
	Places func(ctx context.Context, session string, first, count int) (control.Places, error)
	// Store replaces the store that settings name; for tests.
	Store func(grant.Recording) (store.Writer, error)
	// Patience is how long a segment may take to be stored, retries included, before
	// recording has failed: 30 s by default.
	Patience time.Duration
	// Age is after how long an open segment is sealed; by default 10 s towards a bucket,
	// and 60 s on a volume.
	Age time.Duration
	// SegmentBytes of events after which a segment is sealed: 0 is 1 MiB.
	SegmentBytes int
	Log          logr.Logger
	// Now is the clock, with a monotonic reading.
	Now func() time.Time
	// At is called before each step that can fail; an error fails it. For tests; nil in
	// production. Record is the same of the writers.
	At     func(Point) error
	Record func(record.Point) error
}

const (
	defaultPatience = 30 * time.Second
	bucketAge       = 10 * time.Second
	volumeAge       = 60 * time.Second
	// attemptTimeout bounds one attempt to store.
	attemptTimeout = 10 * time.Second
	// maxQueued is as many bytes as may wait for the store: then sessions wait.
	maxQueued = 16 << 20
	// workers store at the same time.
	workers = 4
	// leastRoom is what a session needs of its volume's quota to begin, in bytes.
	leastRoom = 1 << 20
	// lookEvery is how often segments are looked at for their age.
	lookEvery = 250 * time.Millisecond
)

// Point is a step that can fail.
type Point string

// The steps that a sealed segment passes.
const (
	PointQueued  Point = "keeper.queued"
	PointStore   Point = "keeper.store"
	PointStored  Point = "keeper.stored"
	PointSign    Point = "keeper.sign"
	PointSigned  Point = "keeper.signed"
	PointDropped Point = "keeper.dropped"
)

// Points are all of them.
func Points() []Point {
	return []Point{PointQueued, PointStore, PointStored, PointSign, PointSigned, PointDropped}
}

// Keeper keeps the recordings of one task. Close it to join everything.
type Keeper struct {
	options  Options
	failures chan error
	context  context.Context
	stop     context.CancelFunc
	running  sync.WaitGroup
	// signing wakes the signer, hurried in the middle of a pause.
	signing, hurried chan struct{}

	mu sync.Mutex
	// destination is nil before Start.
	destination *destination
	recordings  map[*recording]struct{}
	queue       queue
	// changed is closed, and replaced, whenever something was stored, signed or has failed.
	changed chan struct{}
	// broken is why nothing is stored at present, unsure why it is not known how to record.
	broken, unsure error
	closed         bool
}

var _ session.Recorder = (*Keeper)(nil)

// destination is where recordings go, by the task's settings.
type destination struct {
	how        grant.Recording
	store      store.Writer
	spool      string
	age        time.Duration
	recipients []age.Recipient
	// room says no to a session that a volume has no room for; nil has.
	room func(ctx context.Context, bytes int64) error
}

// New makes a keeper, which Start starts.
func New(options Options) *Keeper {
	if options.Patience == 0 {
		options.Patience = defaultPatience
	}
	if options.At == nil {
		options.At = func(Point) error { return nil }
	}
	k := &Keeper{
		options: options, failures: make(chan error, 1), signing: make(chan struct{}, 1), hurried: make(chan struct{}, 1),
		recordings: map[*recording]struct{}{}, changed: make(chan struct{}),
	}
	k.queue.work = sync.NewCond(&k.mu)
	k.context, k.stop = context.WithCancel(context.Background())
	return k
}

// Start opens the store that the settings name, and takes up what an earlier process of
// the task has left in the spool. The settings of a task never change: while others are
// said, no session begins.
func (k *Keeper) Start(how grant.Recording) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.closed:
		return errClosed
	case k.destination != nil:
		k.unsure = nil
		if !reflect.DeepEqual(how, k.destination.how) {
			k.unsure = errSettings
		}
		return k.unsure
	}
	to, err := k.options.open(how)
	if err != nil {
		return err
	}
	k.destination = to
	k.resume()
	for range workers {
		k.running.Go(k.work)
	}
	k.running.Go(k.look)
	k.running.Go(k.sign)
	return nil
}

var (
	errClosed     = errors.New("the proxy is shutting down")
	errNotStarted = errors.New("it is not known yet where to record")
	errSettings   = errors.New("the task is to be recorded in another way than it began: connect again when its proxy was replaced")
)

// Begin implements session.Recorder.
func (k *Keeper) Begin(start record.Start) (session.Recording, error) {
	k.mu.Lock()
	to, broken, closed := k.destination, cmp.Or(k.unsure, k.broken), k.closed
	k.mu.Unlock()
	switch {
	case closed:
		return nil, errClosed
	case to == nil:
		return nil, errNotStarted
	case broken != nil:
		return nil, broken
	}
	if to.room != nil {
		if err := to.room(k.context, leastRoom); err != nil {
			return nil, fmt.Errorf("begin a recording: %w", err)
		}
	}
	r := &recording{keeper: k, session: start.Session, folder: filepath.Join(to.spool, start.Session), how: to.how}
	writer, err := record.NewWriter(record.Options{
		Start: start, Spool: r.folder, Recipients: to.recipients, SegmentAge: to.age, SegmentBytes: k.options.SegmentBytes, Now: k.options.Now,
		Sealed: r.take, At: k.options.Record,
	})
	if err != nil {
		tidy(r.folder)
		return nil, fmt.Errorf("begin a recording: %w", err)
	}
	k.mu.Lock()
	r.writer = writer
	k.recordings[r] = struct{}{}
	k.mu.Unlock()
	if r.how.Durability == v1alpha1.DurabilityDisk {
		// From the first event on: the writer then seals durably, too.
		if err := writer.Sync(); err != nil {
			return nil, fmt.Errorf("begin a recording: %w", errors.Join(err, r.Close()))
		}
	}
	return r, nil
}

// Failures implements session.Recorder.
func (k *Keeper) Failures() <-chan error { return k.failures }

// fail says that nothing can be stored, until something is. Callers hold mu.
func (k *Keeper) fail(err error) {
	k.broken = err
	k.tell(err)
}

// tell says that a recording cannot be kept. Callers hold mu.
func (k *Keeper) tell(err error) {
	k.broadcast()
	select {
	case k.failures <- err:
	default: // the one before has not been heard yet
	}
}

// broadcast wakes whoever waits for a change. Callers hold mu.
func (k *Keeper) broadcast() {
	close(k.changed)
	k.changed = make(chan struct{})
}

// Flush returns when every recording that has ended is stored and signed. Each of the two
// has its own time; nothing more is signed once signable is over.
func (k *Keeper) Flush(signable context.Context, storing, signing time.Duration) error {
	stored, cancel := context.WithTimeout(context.WithoutCancel(signable), storing)
	defer cancel()
	if err := k.await(stored, func() bool { return k.queue.isEmpty() }); err != nil {
		return fmt.Errorf("segments are not stored yet: %w", err)
	}
	k.hurry()
	signed, cancel := context.WithTimeout(signable, signing)
	defer cancel()
	if err := k.await(signed, func() bool {
		for r := range k.recordings {
			if r.ended {
				return false
			}
		}
		return true
	}); err != nil {
		return fmt.Errorf("segments are not signed yet: %w", err)
	}
	return nil
}

// await waits until done, which is called with mu held.
func (k *Keeper) await(ctx context.Context, done func() bool) error {
	for {
		k.mu.Lock()
		finished, changed := done(), k.changed
		k.mu.Unlock()
		if finished {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close stops, and joins what can be stopped: a disk that hangs cannot, and is left
// behind when ctx is over. What is not stored stays in the spool.
func (k *Keeper) Close(ctx context.Context) error {
	k.mu.Lock()
	k.closed = true
	k.queue.work.Broadcast()
	k.mu.Unlock()
	k.stop()
	joined := make(chan struct{})
	go func() {
		defer close(joined)
		k.running.Wait()
	}()
	select {
	case <-joined:
		return k.closeStore()
	case <-ctx.Done():
		return fmt.Errorf("the recordings store hangs: %w", ctx.Err())
	}
}

func (k *Keeper) closeStore() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.destination == nil {
		return nil
	}
	if closer, ok := k.destination.store.(interface{ Close() error }); ok {
		return closer.Close()
	}
	return nil
}
