package keeper

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"time"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
)

// signEvery gathers segments: a signature vouches for all segments before its own, and
// costs the manager a write of the request's status.
const signEvery = time.Second

// signAttempt bounds one attempt: a manager that was killed answers nothing, and another
// one would.
const signAttempt = 3 * time.Second

func (k *Keeper) wakeSigner() {
	select {
	case k.signing <- struct{}{}:
	default:
	}
}

// sign has the newest stored segment of each recording signed, and keeps the signature
// beside it. While the manager is away it tries again: recording does not depend on it.
func (k *Keeper) sign() {
	if k.options.Seal == nil {
		return
	}
	retry := firstPause
	for {
		select {
		case <-k.signing:
		case <-k.context.Done():
			return
		}
		for k.context.Err() == nil {
			batch := k.unsigned()
			if len(batch) == 0 {
				break
			}
			pause := signEvery
			if err := k.signBatch(batch); err != nil {
				k.options.Log.Info("Segments are not signed yet", "reason", err.Error())
				retry = min(2*retry, lastPause)
				pause = retry
			} else {
				retry = firstPause
			}
			k.rest(pause/2 + rand.N(pause/2)) //nolint:gosec // jitter, not a secret
		}
	}
}

// rest pauses until somebody cannot wait.
func (k *Keeper) rest(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-k.hurried:
	case <-k.context.Done():
	}
}

// hurry has the signer try now.
func (k *Keeper) hurry() {
	select {
	case k.hurried <- struct{}{}:
	default:
	}
}

// unsigned is what is to be signed, one call's worth.
func (k *Keeper) unsigned() map[*recording]kept {
	k.mu.Lock()
	defer k.mu.Unlock()
	batch := map[*recording]kept{}
	for r := range k.recordings {
		if r.newest != nil && len(batch) < control.MaxSeal {
			batch[r] = *r.newest
		}
	}
	return batch
}

func (k *Keeper) signBatch(batch map[*recording]kept) error {
	ctx, cancel := context.WithTimeout(k.context, signAttempt)
	defer cancel()
	if err := k.options.At(PointSign); err != nil {
		return err
	}
	var statements []record.Statement
	var of []*recording
	for r, segment := range batch {
		statements, of = append(statements, segment.statement), append(of, r)
	}
	signatures, err := k.options.Seal(ctx, statements)
	if errors.Is(err, control.ErrSealRefused) && len(batch) > 1 {
		return k.signEach(batch)
	}
	for i, r := range of {
		switch {
		case errors.Is(err, control.ErrSealRefused):
			k.options.Log.Error(err, "A segment stays unsigned", "session", r.session, "segment", statements[i].Segment)
			k.settled(r, batch[r], nil)
		case err != nil:
			return err
		default:
			err := k.put(store.SignatureName(r.session, statements[i].Segment), signatures[i].Encode())
			// An earlier one, of the same statement at another time, holds as well.
			if err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
			if err := k.options.At(PointSigned); err != nil {
				return err
			}
			k.settled(r, batch[r], &signatures[i])
		}
	}
	return nil
}

// signEach finds the one that is refused.
func (k *Keeper) signEach(batch map[*recording]kept) error {
	var failures []error
	for r, segment := range batch {
		failures = append(failures, k.signBatch(map[*recording]kept{r: segment}))
	}
	return errors.Join(failures...)
}

// settled notes that there is nothing more to do for a segment.
func (k *Keeper) settled(r *recording, segment kept, signature *record.Signature) {
	if signature != nil {
		r.signed.Store(signature)
	}
	k.mu.Lock()
	current := r.newest != nil && r.newest.statement == segment.statement
	if current {
		r.newest = nil
	}
	k.mu.Unlock()
	if current {
		k.drop(segment)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forget(r)
	k.broadcast()
}
