package recording

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/s3test"
)

// gateway is one S3 server for all tests of this package.
var gateway = sync.OnceValues(func() (*s3test.Server, error) {
	gatewayUsed.Store(true)
	return s3test.Run(s3test.Options{})
})

var (
	gatewayUsed atomic.Bool
	buckets     atomic.Int64
)

// testBucket is a bucket behind a front of its own.
type testBucket struct {
	setup *bucketSetup
	front *s3test.Front
}

func newBucket(t *testing.T) testBucket {
	t.Helper()
	server, err := gateway()
	if errors.Is(err, s3test.ErrMissing) && os.Getenv("SALLYPORT_ALLOW_MISSING") == "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("rec1-%d", buckets.Add(1))
	server.Bucket(t, name, false)
	front := server.Front(t)
	return testBucket{&bucketSetup{
		Endpoint: front.Endpoint, Name: name, Access: server.AccessKey, Secret: server.SecretKey, CA: server.CAPEM,
	}, front}
}

var faults = map[string]s3test.Fault{
	"InternalError": s3test.InternalError, "SlowDown": s3test.SlowDown, "Forbidden": s3test.Forbidden, "Conflict": s3test.Conflict,
	"Reset": s3test.Reset, "Stall": s3test.Stall, "CutRequest": s3test.CutRequest, "CutResponse": s3test.CutResponse,
	"LostResponse": s3test.LostResponse, "StallResponse": s3test.StallResponse,
}

// TestREC1_AStoreThatFailsOnceLosesNothing fails one call, the first to the fourth.
func TestREC1_AStoreThatFailsOnceLosesNothing(t *testing.T) {
	t.Parallel()
	eachFault(t, func(t *testing.T, durability v1alpha1.Durability, fault s3test.Fault, nth int) {
		p := failing(t, durability, func(number int) bool { return number == nth }, fault)
		if _, last, err := p.work(t, 12); err != nil || last > bound {
			t.Errorf("the session ended after %v: %v", last, err)
		}
		p.kill()
		p.survives(t, durability)
	})
}

// TestREC1_AStoreThatStaysBrokenEndsTheSessionInTime fails every call from some time on.
func TestREC1_AStoreThatStaysBrokenEndsTheSessionInTime(t *testing.T) {
	t.Parallel()
	eachFault(t, func(t *testing.T, durability v1alpha1.Durability, fault s3test.Fault, nth int) {
		var lifted atomic.Bool
		p := failing(t, durability, func(number int) bool { return number >= nth && !lifted.Load() }, fault)
		p.idle(t)
		_, last, _ := p.work(t, 20)
		if last > bound {
			t.Errorf("the client waited for %v", last)
		}
		// What was stored without an answer is found there the next time.
		if fault != s3test.LostResponse && fault != s3test.CutResponse && fault != s3test.StallResponse {
			p.await(t, bound, "no session ended", func(line told) bool { return line.Ended != "" })
		}
		p.kill()
		lifted.Store(true)
		p.survives(t, durability)
	})
}

func eachFault(t *testing.T, run func(*testing.T, v1alpha1.Durability, s3test.Fault, int)) {
	for _, durability := range []v1alpha1.Durability{v1alpha1.DurabilityProcess, v1alpha1.DurabilityRemote} {
		for name, fault := range faults {
			for nth := 1; nth <= 4; nth++ {
				t.Run(fmt.Sprintf("%s/%s/%d", durability, name, nth), func(t *testing.T) {
					t.Parallel()
					run(t, durability, fault, nth)
				})
			}
		}
	}
}

// failing is a proxy whose store's calls are failed; number counts the writes.
func failing(t *testing.T, durability v1alpha1.Durability, when func(number int) bool, fault s3test.Fault) *proxy {
	t.Helper()
	b := newBucket(t)
	writes := 0
	b.front.Rule(func(call s3test.Call) s3test.Fault {
		if call.Method != http.MethodPut {
			return s3test.Pass
		}
		if writes++; when(writes) {
			return fault
		}
		return s3test.Pass
	})
	s := newSetup(t, grant.Recording{Store: grant.StoreBucket, Durability: durability})
	s.Bucket = b.setup
	return start(t, s)
}

// survives says that all that ran is in the bucket: at once, where that was promised, and
// else when the next process has taken up the spool.
func (p *proxy) survives(t *testing.T, durability v1alpha1.Durability) {
	t.Helper()
	if durability == v1alpha1.DurabilityRemote {
		p.without(t)
		p.nothingRanUnrecorded(t, p.reader(t))
		return
	}
	p.takeUp(t)
	p.nothingRanUnrecorded(t, p.reader(t))
	p.signed(t)
}
