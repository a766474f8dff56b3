package keeper

import (
	"context"
	"crypto/rand"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/onsi/gomega"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
)

func TestASessionIsStoredSignedAndWhole(t *testing.T) {
	t.Parallel()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for name, how := range map[string]grant.Recording{
		"in the clear": {}, "for a recipient": {Recipients: []string{identity.Recipient().String()}},
		"on disk": {Durability: v1alpha1.DurabilityDisk},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, how)
			r := w.begin(t, "s-1")
			for number := range int64(4) {
				operate(t, r, number+1, text(400<<10))
			}
			head := r.Head()
			finish(t, r)
			w.flush(t)
			summary, err := w.verify(t, "s-1")
			if err != nil || summary.Segments < 2 || summary.SignedSegment != summary.Segments || summary.Unsigned != 0 {
				t.Errorf("%+v, %v", summary, err)
			}
			if files := append(left(t, w.directory), left(t, w.spool)...); len(files) != 0 {
				t.Error("left in the spool:", files)
			}
			if signed, ok := r.Sealed(); !ok || signed.Segment != summary.Segments || !signed.Complete || head.Sequence >= signed.Last {
				t.Errorf("%+v, %t", signed, ok)
			}
		})
	}
}

func TestWhatADeadProcessLeftIsTakenUpAsItIs(t *testing.T) {
	t.Parallel()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for name, how := range map[string]grant.Recording{
		"in the clear": {}, "for a recipient": {Recipients: []string{identity.Recipient().String()}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// The first process stores nothing, and dies with one segment sealed and one open.
			w := newWorld(t, how, func(o *Options) { o.At = func(Point) error { return errors.New("dead") } })
			r := w.begin(t, "s-1")
			operate(t, r, 1, "SELECT 1")
			if err := r.(*recording).writer.Rotate(); err != nil {
				t.Fatal(err)
			}
			if err := r.(*recording).writer.Append(record.Event{Type: record.EventNotice, Notice: "its last"}); err != nil {
				t.Fatal(err)
			}
			w.start(t, how)
			w.flush(t)
			summary, err := w.verify(t, "s-1")
			if _, ok := errors.AsType[*record.IncompleteError](err); !ok || summary.Segments != 2 || summary.SignedSegment != 2 {
				t.Errorf("%+v, %v", summary, err)
			}
			if files := append(left(t, w.directory), left(t, w.spool)...); len(files) != 0 {
				t.Error("left in the spool:", files)
			}
		})
	}
}

func TestAManagerThatIsAwayDelaysSignaturesAndNothingElse(t *testing.T) {
	t.Parallel()
	var away atomic.Bool
	away.Store(true)
	w := newWorld(t, grant.Recording{}, func(o *Options) {
		sign := o.Seal
		o.Seal = func(ctx context.Context, s []record.Statement) ([]record.Signature, error) {
			if away.Load() {
				return nil, errors.New("the manager cannot be reached")
			}
			return sign(ctx, s)
		}
	})
	one, two := w.begin(t, "s-1"), w.begin(t, "s-2")
	operate(t, one, 1, "SELECT 1")
	operate(t, two, 1, "SELECT 1")
	finish(t, one)
	begun := time.Now()
	if err := w.Flush(t.Context(), time.Minute, 300*time.Millisecond); err == nil || time.Since(begun) > 2*time.Second {
		t.Error("flushed without a signature, or waited for long:", err, time.Since(begun))
	}
	if summary, err := w.verify(t, "s-1"); err != nil || summary.Segments != 1 || summary.Unsigned != 1 {
		t.Errorf("%+v, %v", summary, err)
	}
	away.Store(false)
	finish(t, two)
	w.flush(t)
	for _, id := range []string{"s-1", "s-2"} {
		if summary, err := w.verify(t, id); err != nil || summary.Unsigned != 0 {
			t.Errorf("%+v, %v", summary, err)
		}
	}
}

func TestASegmentThatTheManagerRefusesStaysUnsigned(t *testing.T) {
	t.Parallel()
	w := newWorld(t, grant.Recording{}, func(o *Options) {
		sign := o.Seal
		o.Seal = func(ctx context.Context, statements []record.Statement) ([]record.Signature, error) {
			for _, s := range statements {
				if s.Session == "s-1" {
					return nil, control.ErrSealRefused
				}
			}
			return sign(ctx, statements)
		}
	})
	for _, id := range []string{"s-1", "s-2"} {
		finish(t, w.begin(t, id))
	}
	w.flush(t)
	for id, unsigned := range map[string]int{"s-1": 1, "s-2": 0} {
		if summary, err := w.verify(t, id); err != nil || summary.Unsigned != unsigned {
			t.Errorf("%s: %+v, %v", id, summary, err)
		}
	}
}

func TestAnOldSegmentIsSealedThoughNothingIsAdded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, grant.Recording{}, func(o *Options) { o.Age = 10 * time.Millisecond })
	r := w.begin(t, "s-1")
	operate(t, r, 1, "SELECT 1")
	await(t, func() bool { _, ok := r.Sealed(); return ok })
	if summary, err := w.verify(t, "s-1"); summary.Segments < 1 || summary.SignedSegment != summary.Segments {
		t.Errorf("%+v, %v", summary, err)
	}
	finish(t, r)
}

func TestAStoreThatStallsFailsTheRecordingInTime(t *testing.T) {
	t.Parallel()
	shelf := &shelf{}
	w := newWorld(t, grant.Recording{}, shelf.use(stall), func(o *Options) { o.Patience = 500 * time.Millisecond })
	r := w.begin(t, "s-1")
	operate(t, r, 1, "SELECT 1")
	if err := r.(*recording).writer.Rotate(); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	select {
	case err := <-w.Failures():
		if took := time.Since(begun); took < 500*time.Millisecond || took > 2*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nobody hears of it")
	}
	if _, err := w.Begin(record.Start{Session: "s-2", RequestUID: requestUID}); err == nil {
		t.Error("another session begins")
	}
	// Once the store is back, sessions begin again, and nothing is lost.
	shelf.set(nil)
	finish(t, r)
	w.flush(t)
	finish(t, w.begin(t, "s-3"))
	w.flush(t)
	shelf.copyTo(t, w.directory)
	for _, id := range []string{"s-1", "s-3"} {
		if _, err := w.verify(t, id); err != nil {
			t.Error(err)
		}
	}
}

func TestASessionThatOutrunsItsStoreWaitsAndThenFails(t *testing.T) {
	t.Parallel()
	for name, bestEffort := range map[string]bool{"required": false, "best effort": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shelf := &shelf{}
			w := newWorld(t, grant.Recording{BestEffort: bestEffort}, shelf.use(stall), func(o *Options) { o.Patience = time.Second })
			r := w.begin(t, "s-1")
			block := incompressible(t, record.MaxBlock)
			var err error
			begun, bytes := time.Now(), 0
			for err == nil && time.Since(begun) < 20*time.Second {
				last := time.Now()
				err = r.Append(record.Event{Type: record.EventOutput, Output: &record.Output{Operation: 1, Block: block}})
				bytes += len(block)
				if waited := time.Since(last); waited > 3*time.Second || bestEffort && waited > time.Second {
					t.Errorf("one event waited for %v", waited)
				}
			}
			if err == nil || bytes < maxQueued || bytes > maxQueued+8<<20 {
				t.Errorf("after %d MiB: %v", bytes>>20, err)
			}
		})
	}
}

func TestSegmentsOfARecordingAreStoredInTheirOrder(t *testing.T) {
	t.Parallel()
	shelf := &shelf{}
	release := make(chan struct{})
	w := newWorld(t, grant.Recording{}, shelf.use(func(ctx context.Context, name string) error {
		if name == store.SegmentName("s-1", 1) {
			<-release
		}
		return nil
	}))
	r := w.begin(t, "s-1")
	for number := range int64(3) {
		operate(t, r, number+1, "SELECT 1")
		if err := r.(*recording).writer.Rotate(); err != nil {
			t.Fatal(err)
		}
	}
	// Those of others are not held up.
	finish(t, w.begin(t, "s-2"))
	await(t, func() bool { return shelf.has(store.SignatureName("s-2", 1)) })
	for number := 2; number <= 3; number++ {
		if shelf.has(store.SegmentName("s-1", number)) {
			t.Errorf("segment %d is there before the first: a gap", number)
		}
	}
	close(release)
	finish(t, r)
	w.flush(t)
	shelf.copyTo(t, w.directory)
	if summary, err := w.verify(t, "s-1"); err != nil || summary.Unsigned != 0 {
		t.Errorf("%+v, %v", summary, err)
	}
}

func TestSomethingElseInASegmentsPlaceEndsTheRecording(t *testing.T) {
	t.Parallel()
	shelf := &shelf{}
	w := newWorld(t, grant.Recording{}, shelf.use(nil))
	shelf.objects[store.SegmentName("s-1", 1)] = []byte("forged")
	r := w.begin(t, "s-1")
	finish(t, r)
	select {
	case <-w.Failures():
	case <-time.After(10 * time.Second):
		t.Error("nobody hears of it")
	}
	if files := left(t, w.directory); len(files) != 1 {
		t.Error("the segment is not kept in the spool:", files)
	}
	if err := try(r, 1, "SELECT 1"); !errors.Is(err, errRefused) {
		t.Error("what would be lost is taken:", err)
	}
	// Others are not concerned.
	finish(t, w.begin(t, "s-2"))
	w.flush(t)
	if !shelf.has(store.SignatureName("s-2", 1)) {
		t.Error("another session is not recorded")
	}
}

func TestASignatureThatIsThereAlreadyIsEnough(t *testing.T) {
	t.Parallel()
	shelf := &shelf{}
	w := newWorld(t, grant.Recording{}, shelf.use(nil))
	shelf.objects[store.SignatureName("s-1", 1)] = []byte("signed a second earlier")
	r := w.begin(t, "s-1")
	finish(t, r)
	w.flush(t)
	if _, ok := r.Sealed(); !ok || len(left(t, w.directory)) != 0 {
		t.Error("it is tried for ever")
	}
}

func TestSettingsThatCannotBeObeyedAreRefused(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]grant.Recording{
		"Remote on a volume":         {Durability: v1alpha1.DurabilityRemote},
		"an unknown store":           {Store: "Tape"},
		"an unknown durability":      {Durability: "Eternal"},
		"a bucket without a manager": {Store: grant.StoreBucket},
		"a recipient that is none":   {Recipients: []string{"age1nobody"}},
	} {
		k := New(Options{Directory: t.TempDir(), Spool: t.TempDir(), Now: time.Now})
		if err := k.Start(how); err == nil {
			t.Errorf("%s: taken", name)
		}
		if _, err := k.Begin(record.Start{Session: "s-1", RequestUID: requestUID}); err == nil {
			t.Errorf("%s: a session begins", name)
		}
	}
}

func TestWhileOtherSettingsAreSaidNoSessionBegins(t *testing.T) {
	t.Parallel()
	w := newWorld(t, grant.Recording{})
	if err := w.Start(grant.Recording{Recipients: []string{"age1another"}}); err == nil {
		t.Error("others were taken")
	}
	if _, err := w.Begin(record.Start{Session: "s-1", RequestUID: requestUID}); err == nil {
		t.Error("a session is recorded for nobody knows whom")
	}
	if err := w.Start(grant.Recording{}); err != nil {
		t.Error(err)
	}
	finish(t, w.begin(t, "s-1"))
}

func TestATaskThatHasUsedUpItsQuotaBeginsNoSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, grant.Recording{}, func(o *Options) { o.Quota = leastRoom + 64<<10 })
	r := w.begin(t, "s-1")
	if err := r.Append(record.Event{Type: record.EventOutput, Output: &record.Output{Operation: 1, Block: incompressible(t, record.MaxBlock)}}); err != nil {
		t.Fatal(err)
	}
	finish(t, r)
	w.flush(t)
	if _, err := w.Begin(record.Start{Session: "s-2", RequestUID: requestUID}); !errors.Is(err, store.ErrQuota) {
		t.Error(err)
	}
}

func incompressible(t *testing.T, size int) []byte {
	t.Helper()
	block := make([]byte, size)
	if _, err := rand.Read(block); err != nil {
		t.Fatal(err)
	}
	return block
}

func await(t *testing.T, held func() bool) {
	t.Helper()
	gomega.NewWithT(t).Eventually(held, "10s", "1ms").Should(gomega.BeTrue())
}
