package accesspolicy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/stores"
)

// unusable says why recordings cannot go where a policy wants them, and what to do;
// empty if they can. An error is worth another try.
func (r *Reconciler) unusable(ctx context.Context, recording v1alpha1.RecordingPolicy) (string, error) {
	name := stores.Of(recording)
	if name == v1alpha1.StoreVolume {
		if recording.Durability == v1alpha1.DurabilityRemote {
			return "recording.durability Remote needs a bucket: name its store in recording.store, or ask for Disk", nil
		}
		return "", nil
	}
	bucket, err := r.Stores.Find(ctx, name)
	if err == nil {
		err = r.Stores.Check(ctx, bucket)
	}
	if unknown, ok := errors.AsType[*stores.UnknownError](err); ok {
		names, err := r.Stores.Names(ctx)
		return fmt.Sprintf("recording.store: %v; there are: %s", unknown, strings.Join(names, ", ")), err
	}
	if wrong, ok := errors.AsType[*stores.ConfigError](err); ok {
		return "recording.store: " + wrong.Error(), nil
	}
	return "", err
}
