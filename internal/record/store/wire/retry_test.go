package wire_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/record/store/wire"
)

func TestRetryHasBounds(t *testing.T) {
	t.Parallel()
	failure := errors.New("failure")
	for name, c := range map[string]struct {
		fail  int // attempts that fail first
		err   error
		want  error
		tried int
	}{
		"nothing fails":   {0, failure, nil, 1},
		"the first":       {1, failure, nil, 2},
		"all but one":     {2, failure, nil, 3},
		"all":             {9, failure, failure, 3},
		"for good":        {9, wire.Permanent(failure), failure, 1},
		"in bounded time": {9, nil, context.DeadlineExceeded, 3},
	} {
		tried := 0
		retry := wire.Retry{Attempts: 3, Timeout: 5 * time.Millisecond, First: time.Millisecond, Most: time.Millisecond}
		err := retry.Do(t.Context(), func(ctx context.Context) error {
			if tried++; tried > c.fail {
				return nil
			}
			if c.err != nil {
				return c.err
			}
			<-ctx.Done()
			return ctx.Err()
		})
		if !errors.Is(err, c.want) || tried != c.tried {
			t.Errorf("%s: %v after %d", name, err, tried)
		}
	}
	if wire.Permanent(nil) != nil {
		t.Error("no error is an error")
	}
}

func TestRetryEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	tried := 0
	err := wire.Retry{First: time.Hour, Most: time.Hour}.Do(ctx, func(context.Context) error {
		tried++
		cancel()
		return errors.New("failure")
	})
	if !errors.Is(err, context.Canceled) || tried != 1 {
		t.Errorf("%v after %d", err, tried)
	}
}
