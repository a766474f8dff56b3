package keeper

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
)

func TestRemoteDurabilityWaitsForTheStoresAcknowledgement(t *testing.T) {
	t.Parallel()
	shelf := &shelf{}
	release := make(chan struct{})
	w := newWorld(t, grant.Recording{Store: grant.StoreBucket, Durability: v1alpha1.DurabilityRemote},
		shelf.use(func(ctx context.Context, _ string) error {
			select {
			case <-release:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}), withPlaces)
	r := w.begin(t, "s-1")
	operate(t, r, 1, "SELECT 1")
	settled := make(chan error, 1)
	go func() { settled <- r.Settle(t.Context()) }()
	select {
	case err := <-settled:
		t.Fatal("settled before the store had it:", err)
	case <-time.After(100 * time.Millisecond):
	}
	close(release)
	if err := <-settled; err != nil || !shelf.has(store.SegmentName("s-1", 1)) {
		t.Error(err)
	}
	// What has happened is not waited for.
	if err := r.AppendResult(&record.Result{Operation: 1, Tag: "SELECT 1"}); err != nil {
		t.Fatal(err)
	}
	shelf.set(stall)
	if err := r.Settle(t.Context()); err != nil {
		t.Error(err)
	}
	operate(t, r, 2, "SELECT 2")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := r.Settle(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	shelf.set(func(context.Context, string) error { return store.ErrFull })
	if err := r.Settle(t.Context()); err == nil {
		t.Error("settled on a store that is full")
	}
}

func TestDiskDurabilitySyncsBeforeItIsSettled(t *testing.T) {
	t.Parallel()
	var syncs atomic.Int64
	w := newWorld(t, grant.Recording{Durability: v1alpha1.DurabilityDisk}, func(o *Options) {
		o.Record = func(p record.Point) error {
			if p == record.PointJournalSync {
				syncs.Add(1)
			}
			return nil
		}
	})
	r := w.begin(t, "s-1")
	before := syncs.Load()
	operate(t, r, 1, "SELECT 1")
	for range 3 {
		if err := r.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := syncs.Load() - before; got != 1 {
		t.Errorf("%d syncs for one operation", got)
	}
}

func withPlaces(o *Options) {
	o.Places = func(context.Context, string, int, int) (control.Places, error) { return control.Places{}, nil }
}
