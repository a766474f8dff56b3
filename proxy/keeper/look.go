package keeper

import (
	"fmt"
	"sync"
	"time"
)

// look seals what is old, and notices what takes too long to be stored.
func (k *Keeper) look() {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	var rotating sync.WaitGroup
	defer rotating.Wait()
	for {
		select {
		case <-ticker.C:
		case <-k.context.Done():
			return
		}
		now := k.options.Now()
		k.mu.Lock()
		if oldest := k.queue.oldest(); oldest != nil && now.Sub(oldest.since) > k.options.Patience && k.broken == nil {
			k.fail(fmt.Errorf("the store has not taken a segment for %s: %w", k.options.Patience, oldest.failure()))
		}
		for r := range k.recordings {
			if r.writer != nil && !r.ended && r.writer.Due(now) && r.rotating.CompareAndSwap(false, true) {
				// Beside the look: a disk may stall.
				rotating.Go(func() {
					defer r.rotating.Store(false)
					r.rotate(now)
				})
			}
		}
		k.mu.Unlock()
	}
}
