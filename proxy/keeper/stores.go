package keeper

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	"filippo.io/age"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/record/store/volume"
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
	to.store = newBucket(o.Places, o.Now)
	return nil
}

// tidy removes a session's folder of the spool that holds nothing more, or never did.
func tidy(folder string) {
	_ = os.Remove(folder) // what is not empty stays
}
