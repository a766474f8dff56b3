package keeper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"filippo.io/age"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/record/store/presigned"
	"github.com/sallyport/sallyport/internal/record/store/volume"
	"github.com/sallyport/sallyport/internal/record/store/wire"
)

// open finds where the settings say that recordings go. Settings that cannot be obeyed
// are an error: nothing is recorded less dependably than was asked for.
func (o Options) open(how grant.Recording) (*destination, error) {
	to := &destination{how: how, spool: o.Spool}
	for _, recipient := range how.Recipients {
		parsed, err := age.ParseX25519Recipient(recipient)
		if err != nil {
			return nil, fmt.Errorf("a recipient of the recordings: %w", err)
		}
		to.recipients = append(to.recipients, parsed)
	}
	switch how.Durability {
	case "", v1alpha1.DurabilityProcess, v1alpha1.DurabilityDisk, v1alpha1.DurabilityRemote:
	default:
		return nil, fmt.Errorf("this proxy does not know durability %q", how.Durability)
	}
	switch cmp.Or(how.Store, grant.StoreVolume) {
	case grant.StoreVolume:
		if how.Durability == v1alpha1.DurabilityRemote {
			return nil, errors.New("durability Remote needs a bucket")
		}
		if err := o.volume(to); err != nil {
			return nil, err
		}
	case grant.StoreBucket:
		if err := o.bucket(to); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("this proxy does not know recordings store %q", how.Store)
	}
	if to.spool == "" {
		return nil, errors.New("this proxy has no spool directory: what is recorded cannot wait for its store")
	}
	if o.Store == nil {
		return to, nil
	}
	var err error
	to.store, err = o.Store(how)
	return to, err
}

func (o Options) volume(to *destination) error {
	if o.Directory == "" {
		return errors.New("this proxy has no recordings directory")
	}
	opened, err := volume.Open(o.Directory, volume.Options{Quota: o.Quota, Now: o.Now})
	if err != nil {
		return err
	}
	to.store, to.age, to.room = opened, cmp.Or(o.Age, volumeAge), opened.Room
	// In the clear only what the volume may hold in the clear.
	if len(to.recipients) == 0 {
		to.spool = opened.Spool()
	}
	return nil
}

func (o Options) bucket(to *destination) error {
	if o.Places == nil {
		return errors.New("this proxy has nobody to ask where in the bucket to record")
	}
	to.age = cmp.Or(o.Age, bucketAge)
	to.store = &bucket{places: o.Places, store: newPresigned(o.Now)}
	return nil
}

// newPresigned is a store that tries once: the keeper tries again.
func newPresigned(now func() time.Time) *presigned.Store {
	return presigned.New(presigned.Options{Retry: wire.Retry{Attempts: 1, Timeout: attemptTimeout}, Now: now})
}

// tidy removes a session's folder of the spool that holds nothing more, or never did.
func tidy(folder string) {
	_ = os.Remove(folder) // what is not empty stays
}

// bucket is a store whose places the manager signs.
type bucket struct {
	places func(ctx context.Context, session string, first, count int) (control.Places, error)
	store  *presigned.Store
}

const (
	// ahead is for how many segments more than the next one there should be places: the
	// manager may be away for a while.
	ahead = 16
	// lasting is how much longer a place must be valid to be relied upon.
	lasting = 30 * time.Second
)

// Put implements store.Writer.
func (b *bucket) Put(ctx context.Context, name string, content []byte) error {
	parsed, err := store.ParseName(name)
	if err != nil {
		return err
	}
	has := b.store.Has(name, lasting)
	if !has || !b.store.Has(store.SegmentName(parsed.Session, parsed.Number+ahead), lasting) {
		// What there is suffices, if nobody can be asked.
		if err := b.ask(ctx, parsed); err != nil && !has {
			return err
		}
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

func (b *bucket) ask(ctx context.Context, next store.Name) error {
	places, err := b.places(ctx, next.Session, next.Number, control.MaxPlaces)
	if err != nil {
		return err
	}
	return b.store.Accept(places)
}

// Close gives up the connections.
func (b *bucket) Close() error {
	b.store.Close()
	return nil
}
