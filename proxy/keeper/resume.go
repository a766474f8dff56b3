package keeper

import (
	"os"
	"path/filepath"

	"github.com/sallyport/sallyport/internal/record"
)

// resume queues what dead processes have left; what cannot be read is left where it is.
// Callers hold mu.
func (k *Keeper) resume() {
	entries, err := os.ReadDir(k.destination.spool)
	if err != nil {
		k.options.Log.Error(err, "Cannot look for unfinished recordings")
		return
	}
	for _, entry := range entries {
		if !entry.IsDir() || record.CheckIdentifier(entry.Name()) != nil {
			continue
		}
		folder := filepath.Join(k.destination.spool, entry.Name())
		left, err := record.Resume(folder, k.destination.recipients)
		if err != nil {
			k.options.Log.Error(err, "An unfinished recording cannot be taken up", "session", entry.Name())
		}
		if len(left) == 0 {
			tidy(folder)
			continue
		}
		k.options.Log.Info("Takes up an unfinished recording", "session", entry.Name(), "segments", len(left))
		r := &recording{keeper: k, session: entry.Name(), folder: folder, ended: true}
		r.sealed, r.stored = left[0].Segment-1, left[0].Segment-1
		k.recordings[r] = struct{}{}
		for _, sealed := range left {
			k.queue.add(r, sealed, k.options.Now())
		}
	}
}
