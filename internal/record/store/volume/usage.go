package volume

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/sallyport/sallyport/internal/record/store"
)

// abandoned is the age of a draft that no Put works on any more: its process died.
const abandoned = 10 * time.Minute

// Usage is what the recordings of the request take, in bytes: every file's length,
// a journal's with the room that it has set aside.
func (v *Volume) Usage(ctx context.Context) (int64, error) {
	var used int64
	err := fs.WalkDir(beneath{v.root}, ".", func(name string, entry fs.DirEntry, err error) error {
		if err := errors.Join(ctx.Err(), ignoreGone(err)); err != nil {
			return err
		}
		if entry == nil || !entry.Type().IsRegular() {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return ignoreGone(err)
		}
		if strings.HasPrefix(entry.Name(), temporary) && v.now().Sub(info.ModTime()) > abandoned {
			return ignoreGone(v.root.Remove(name))
		}
		used += info.Size()
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("measure the recordings: %w", err)
	}
	return used, nil
}

// ignoreGone: objects move while they are counted.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Room says whether so many bytes more are within the quota: store.ErrQuota if not.
// Put asks by itself; who makes a journal asks with its size first. Sessions that ask
// at the same time may overshoot by what each of them asked for.
func (v *Volume) Room(ctx context.Context, bytes int64) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.used >= 0 && (v.quota == 0 || v.used+bytes <= v.quota) {
		return nil
	}
	// The first look, or the last before saying no: journals were removed since.
	used, err := v.Usage(ctx)
	if err != nil {
		return err
	}
	v.used = used
	if v.quota != 0 && used+bytes > v.quota {
		return fmt.Errorf("%d bytes more than the %d there are of %d: %w", bytes, used, v.quota, store.ErrQuota)
	}
	return nil
}

func (v *Volume) add(bytes int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.used >= 0 {
		v.used += bytes
	}
}
