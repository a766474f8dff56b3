package reader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/record/store"
)

// Stores are the installation's: the volume, and the buckets that are configured.
type Stores struct {
	// Volume opens the recordings of a request; fs.ErrNotExist if there are none.
	Volume func(requestUID string) (Task, error)
	// Buckets names those configured now.
	Buckets func(ctx context.Context) ([]string, error)
	// Bucket is the recordings of a request in one of them, be there any or not.
	Bucket func(ctx context.Context, name, requestUID string) (store.Reader, error)
}

// Task is the recordings of one request in one store.
type Task interface {
	store.Reader
	io.Closer
}

// Open opens the recordings of a request in the store that it names, or in the first
// that has any. fs.ErrNotExist if none has.
func (s *Stores) Open(ctx context.Context, request Request) (Recordings, error) {
	if request.Store != "" {
		task, err := s.open(ctx, request.Store, request.UID)
		if err != nil {
			return nil, err
		}
		return opened{task, request.Store}, nil
	}
	buckets, failed := s.Buckets(ctx)
	for _, name := range append([]string{v1alpha1.StoreVolume}, buckets...) {
		found, err := s.held(ctx, name, request.UID)
		if found != nil {
			return found, nil
		}
		// Another may have them; if none has, this one might.
		failed = errors.Join(failed, err)
	}
	if failed != nil {
		return nil, failed
	}
	return nil, fs.ErrNotExist
}

func (s *Stores) open(ctx context.Context, name, requestUID string) (Task, error) {
	if name == v1alpha1.StoreVolume {
		return s.Volume(requestUID)
	}
	task, err := s.Bucket(ctx, name, requestUID)
	if err != nil {
		return nil, err
	}
	return unclosed{task}, nil
}

// held is the recordings of a request if a store has any; nil if it has none.
func (s *Stores) held(ctx context.Context, name, requestUID string) (Recordings, error) {
	task, err := s.open(ctx, name, requestUID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look into store %s: %w", name, err)
	}
	sessions, err := task.Sessions(ctx)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, task.Close()
	case err != nil:
		return nil, errors.Join(fmt.Errorf("look into store %s: %w", name, err), task.Close())
	case len(sessions) == 0:
		return nil, task.Close()
	}
	return opened{task, name}, nil
}

type opened struct {
	Task
	name string
}

func (o opened) Store() string { return o.name }

// unclosed is what a bucket's client keeps open for all.
type unclosed struct{ store.Reader }

func (unclosed) Close() error { return nil }
