//go:build !race

package keeper

import (
	"context"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/sallyport/sallyport/internal/grant"
)

// The race detector makes sync.Pool forget at random.
func TestAnOperationMakesNoGarbage(t *testing.T) {
	k := New(Options{Directory: t.TempDir(), Spool: t.TempDir(), Log: logr.Discard(), Now: time.Now})
	if err := k.Start(grant.Recording{}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = k.Close(context.Background()) }()
	// Less than a segment's worth: sealing one may.
	if allocations := testing.AllocsPerRun(500, begunSession(t, k, grant.Recording{})); allocations > 0 {
		t.Errorf("%v allocations for one operation", allocations)
	}
}
