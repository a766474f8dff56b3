package retention

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/ledger"
	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/stores"
)

func onVolume(*ledger.Entry) {}

func inArchive(entry *ledger.Entry) { entry.Store = "archive" }

func TestRecordingsOnTheVolumeAreRemovedByAPodOfTheirOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onVolume)
	if after := w.pass(); w.removal() != nil || after <= 0 || after > 24*time.Hour {
		t.Fatalf("before its time: removing %v, looked at again after %s", w.removal() != nil, after)
	}
	// The request and its namespace may be long gone.
	w.must(w.admin.Delete(t.Context(), w.request))
	w.later(month)
	pod := w.removal()
	if pod == nil || pod.Spec.Containers[0].VolumeMounts[0].SubPath != string(w.request.UID) || pod.OwnerReferences[0].Name != w.config().Name {
		t.Fatalf("the removal is %+v", pod)
	}
	w.ends(corev1.PodSucceeded, "12 files, 3456 bytes")
	entry := w.entry()
	if !entry.RemovedAt.Equal(w.now) || !strings.Contains(entry.Message, "12 files, 3456 bytes") || w.removal() != nil {
		t.Errorf("the ledger says %+v", entry)
	}
	w.told("Removed", w.request.Namespace+"/pay-1423", "kept for 30 days", "12 files, 3456 bytes")
	w.later(remembered)
	if w.config() != nil {
		t.Error("the entry is there still")
	}
}

func TestRecordingsInABucketAreRemovedWithItsCredential(t *testing.T) {
	t.Parallel()
	w := newWorld(t, inArchive)
	w.pass()
	w.later(month)
	if len(w.archive.removed) != 1 || w.archive.removed[0] != string(w.request.UID) || w.entry().RemovedAt.IsZero() {
		t.Errorf("removed %v, the ledger says %+v", w.archive.removed, w.entry())
	}
	w.told("Removed", "from store archive")
}

func TestRecordingsWithoutAnEndStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(entry *ledger.Entry) {
		*entry = ledger.Entry{UID: entry.UID, Namespace: entry.Namespace, Request: entry.Request, Policy: entry.Policy, Store: "archive", OpenedAt: entry.OpenedAt}
		entry.Close(entry.OpenedAt)
	})
	w.later(100 * 365 * 24 * time.Hour)
	if len(w.archive.removed) != 0 {
		t.Error("removed, though kept for ever")
	}
}

func TestAHoldAlwaysWins(t *testing.T) {
	t.Parallel()
	for name, hold := range map[string]func(*world){
		"the policy's":                 func(w *world) { w.edit("holdByPolicy", "recording.legalHold") },
		"the owners'":                  func(w *world) { w.edit("hold", "case 7") },
		"the request's":                func(w *world) { w.annotate(new("audit")) },
		"the request's, for no reason": func(w *world) { w.annotate(new("")) },
		"the request's, gone since": func(w *world) {
			w.annotate(new("audit"))
			w.pass()
			w.must(w.admin.Delete(w.t.Context(), w.request))
		},
		"one that the cache has not seen": func(w *world) {
			w.annotate(new("audit"))
			w.r.Client = behind{w.admin}
		},
		"an entry that cannot be read": func(w *world) { w.edit("retentionDays", "some") },
		"an end that an owner put off": func(w *world) { w.edit("keepUntil", "2030-01-01T00:00:00Z") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, where := range []func(*ledger.Entry){onVolume, inArchive} {
				w := newWorld(t, where)
				hold(w)
				w.later(month)
				w.later(month)
				if w.removal() != nil || len(w.archive.removed) != 0 {
					t.Errorf("removed all the same")
				}
			}
		})
	}
}

func TestAHoldThatIsLiftedLetsRetentionGoOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, inArchive)
	w.annotate(new("audit"))
	w.pass()
	w.told("HoldSet", "audit")
	w.later(month)
	w.annotate(nil)
	w.pass()
	w.told("HoldCleared")
	w.pass()
	if len(w.archive.removed) != 1 {
		t.Errorf("removed %v", w.archive.removed)
	}
	if got := fmt.Sprint(w.archive.holds); got != "[true false]" {
		t.Errorf("the bucket was told to hold: %s", got)
	}
}

func TestAHoldIsInTheLedgerThoughItsBucketIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, inArchive)
	w.annotate(new("audit"))
	w.archive.failure = errDown
	if _, err := w.r.pass(t.Context(), w.config()); err == nil {
		t.Error("a bucket that does not answer was told")
	}
	if entry := w.entry(); entry.RequestHold != "audit" || entry.BucketHold {
		t.Errorf("the ledger says %+v", entry)
	}
	w.archive.failure = nil
	w.pass()
	if entry := w.entry(); !entry.BucketHold {
		t.Errorf("the ledger says %+v", entry)
	}
}

func TestABucketWithoutLocksHasNothingToBeTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, inArchive)
	w.archive.lock = stores.LockNone
	w.annotate(new("audit"))
	w.pass()
	if len(w.archive.holds) != 0 {
		t.Errorf("told %v", w.archive.holds)
	}
}

func TestAHoldStopsARemovalThatHasNotBegun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onVolume)
	w.later(month)
	if w.removal() == nil {
		t.Fatal("nothing removes")
	}
	w.edit("hold", "case 7")
	w.pass()
	if w.removal() != nil {
		t.Error("the removal goes on")
	}
}

func TestWhatCannotBeRemovedStaysAndIsSaidOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		failure error
		reason  string
		again   time.Duration
	}{
		"the bucket's lock keeps it": {fmt.Errorf("remove x: %w", store.ErrHeld), "Locked", heldAgain},
		"the bucket is down":         {errDown, "RemovalFailed", tryAgain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, inArchive)
			w.archive.failure = test.failure
			w.now = w.now.Add(month)
			if after := w.pass(); after != test.again {
				t.Errorf("tried again after %s", after)
			}
			w.told(test.reason)
			if entry := w.entry(); !entry.RemovedAt.IsZero() || entry.Message == "" {
				t.Errorf("the ledger says %+v", entry)
			}
			version := w.config().ResourceVersion
			w.pass()
			if len(w.events.Events) != 0 || w.config().ResourceVersion != version {
				t.Error("said again")
			}
			w.archive.failure = nil
			w.pass()
			if w.entry().RemovedAt.IsZero() {
				t.Error("not removed when it could be")
			}
		})
	}
}

func TestARemovalThatFailedIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onVolume)
	w.later(month)
	first := w.removal().UID
	w.ends(corev1.PodFailed, "remove recordings: input/output error")
	w.told("RemovalFailed", "input/output error")
	w.later(tryAgain)
	if pod := w.removal(); pod == nil || pod.UID == first {
		t.Error("not tried again")
	}
}

func TestAnEntryWhoseRequestWentWithoutAWordIsClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(entry *ledger.Entry) { entry.ClosedAt, entry.KeepUntil = time.Time{}, time.Time{} })
	w.pass()
	if entry := w.entry(); !entry.ClosedAt.IsZero() {
		t.Fatalf("closed while its request is open: %+v", entry)
	}
	w.must(w.admin.Delete(t.Context(), w.request))
	w.pass()
	if entry := w.entry(); !entry.ClosedAt.Equal(w.now) || !entry.KeepUntil.Equal(w.now.Add(30*24*time.Hour)) {
		t.Errorf("the ledger says %+v", entry)
	}
}

func TestANamesakesHoldIsNotTheRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, inArchive)
	w.pass()
	old := w.key()
	w.must(w.admin.Delete(t.Context(), w.request))
	namesake := w.request.DeepCopy()
	namesake.UID, namesake.ResourceVersion = "", ""
	w.must(w.admin.Create(t.Context(), namesake))
	w.request.UID = namesake.UID
	w.annotate(new("audit"))
	config := &corev1.ConfigMap{}
	w.must(w.admin.Get(t.Context(), old, config))
	_, err := w.r.pass(t.Context(), config)
	w.must(err)
	if entry, err := ledger.Parse(config); err != nil || entry.RequestHold != "" {
		t.Errorf("held by %q: %v", entry.RequestHold, err)
	}
}

func TestOtherConfigMapsAreLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, inArchive)
	config := w.config()
	config.Labels = nil
	w.must(w.admin.Update(t.Context(), config))
	w.later(month)
	if len(w.archive.removed) != 0 {
		t.Error("removed on the word of what is no entry")
	}
	if got := entryOfPod(t.Context(), &corev1.Pod{}); got != nil {
		t.Errorf("any pod wakes %v", got)
	}
}

// behind is a cache that has not seen any annotation yet.
type behind struct{ client.Client }

func (b behind) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	err := b.Client.Get(ctx, key, object, options...)
	if request, ok := object.(*v1alpha1.TaskAccessRequest); ok {
		request.Annotations = nil
	}
	return err
}
