package keeper

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/record/store"
)

func TestABucketsPlacesAreAskedForAheadAndAManagerThatIsAwayKeepsNothingWaiting(t *testing.T) {
	t.Parallel()
	var puts atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { puts.Add(1) }))
	defer server.Close()
	var asked []string
	away := false
	b := newBucket(func(ctx context.Context, id string, first, _ int) (control.Places, error) {
		asked = append(asked, fmt.Sprintf("%s %d", id, first))
		if away {
			<-ctx.Done()
			return control.Places{}, ctx.Err()
		}
		places := control.Places{Expires: time.Now().Add(time.Hour)}
		for number := first; number < first+20; number++ {
			name := store.SegmentName(id, number)
			places.Places = append(places.Places, control.Place{Name: name, URL: server.URL + "/" + name})
		}
		return places, nil
	}, time.Now)
	defer b.Close()
	put := func(number int) time.Duration {
		t.Helper()
		begun := time.Now()
		if err := b.Put(t.Context(), store.SegmentName("s-1", number), []byte("x")); err != nil {
			t.Fatal(err)
		}
		return time.Since(begun)
	}
	for number := 1; number <= 6; number++ {
		put(number)
	}
	if diff := cmp.Diff([]string{"s-1 1", "s-1 5"}, asked); diff != "" {
		t.Error(diff)
	}
	away, asked = true, nil
	var waited time.Duration
	for number := 7; number <= 24; number++ {
		waited += put(number)
	}
	if len(asked) != 1 || waited > 3*time.Second || puts.Load() != 24 {
		t.Errorf("asked %v, waited %v, %d puts", asked, waited, puts.Load())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := b.Put(ctx, store.SegmentName("s-1", 25), []byte("x")); !errors.Is(err, context.DeadlineExceeded) {
		t.Error("without a place:", err)
	}
}
