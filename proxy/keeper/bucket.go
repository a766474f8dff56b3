package keeper

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/record/store/presigned"
	"github.com/sallyport/sallyport/internal/record/store/wire"
)

const (
	// ahead is for how many segments more than the next one there should be places: the
	// manager may be away for a while.
	ahead = 16
	// lasting is how much longer a place must be valid to be relied upon.
	lasting = 30 * time.Second
	// askAgain is how long a manager that did not answer is left alone, and briefly how long
	// it is waited for, while there are places.
	askAgain = 5 * time.Second
	briefly  = 500 * time.Millisecond
)

// bucket is a store whose places the manager signs.
type bucket struct {
	places func(ctx context.Context, session string, first, count int) (control.Places, error)
	store  *presigned.Store
	now    func() time.Time

	mu sync.Mutex
	// quiet is until when the manager is not asked for places ahead.
	quiet time.Time
}

func newBucket(places func(context.Context, string, int, int) (control.Places, error), now func() time.Time) *bucket {
	return &bucket{places: places, now: now, store: presigned.New(presigned.Options{
		// The keeper tries again.
		Retry: wire.Retry{Attempts: 1, Timeout: attemptTimeout}, Now: now,
	})}
}

// Put implements store.Writer.
func (b *bucket) Put(ctx context.Context, name string, content []byte) error {
	parsed, err := store.ParseName(name)
	if err != nil {
		return err
	}
	if !b.store.Has(name, lasting) {
		if err := b.ask(ctx, parsed); err != nil {
			return err
		}
	} else if !b.store.Has(store.SegmentName(parsed.Session, parsed.Number+ahead), lasting) {
		b.askAhead(ctx, parsed)
	}
	err = b.store.Put(ctx, name, content)
	if errors.Is(err, store.ErrExpired) {
		if err := b.ask(ctx, parsed); err != nil {
			return err
		}
		err = b.store.Put(ctx, name, content)
	}
	return err
}

// ask gets places, more for a session that has needed many: most are short.
func (b *bucket) ask(ctx context.Context, next store.Name) error {
	count := min(max(next.Number, ahead+4), control.MaxPlaces)
	places, err := b.places(ctx, next.Session, next.Number, count)
	if err != nil {
		return err
	}
	return b.store.Accept(places)
}

// askAhead asks while there is a place: a manager that is away keeps no segment waiting.
func (b *bucket) askAhead(ctx context.Context, next store.Name) {
	b.mu.Lock()
	quiet := b.now().Before(b.quiet)
	b.mu.Unlock()
	if quiet {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, briefly)
	defer cancel()
	if b.ask(ctx, next) != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.quiet = b.now().Add(askAgain)
	}
}

// Close gives up the connections.
func (b *bucket) Close() error {
	b.store.Close()
	return nil
}
