package layout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Lock makes the cluster's folder and takes it for this command alone: two
// commands that change one cluster take turns. The lock ends with the command.
func (c Cluster) Lock(ctx context.Context) (unlock func(), err error) {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		unlock, err = c.tryLock()
		if err == nil || !errors.Is(err, errBusy) {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("another command works on cluster %q: %w", c.Name, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

var errBusy = errors.New("busy")

func (c Cluster) tryLock() (func(), error) {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return nil, err
	}
	dir, err := os.Open(c.Dir)
	if err != nil {
		return nil, errBusy
	}
	unlock := func() { _ = dir.Close() }
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		unlock()
		return nil, errBusy
	}
	// The command before may have been "down": then this lock is on a folder that is gone.
	held, err := dir.Stat()
	if err == nil {
		var current os.FileInfo
		if current, err = os.Stat(c.Dir); err == nil && os.SameFile(held, current) {
			return unlock, nil
		}
	}
	unlock()
	return nil, errBusy
}
