package taskaccessrequest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/ledger"
	"github.com/sallyport/sallyport/internal/manifest"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/stores"
)

func (w *world) pod() *corev1.Pod {
	w.t.Helper()
	pod := &corev1.Pod{}
	w.must(w.admin.Get(w.t.Context(), client.ObjectKey{Namespace: v1alpha1.ProxyNamespace, Name: manifest.Name(string(w.request.UID))}, pod))
	return pod
}

func TestWhereRecordingsGoIsLatchedAndEnteredBeforeThereIsAProxy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stores.move("198.51.100.7")
	w.record(v1alpha1.RecordingPolicy{
		Store: "archive", Durability: v1alpha1.DurabilityRemote, Required: new(false), RetentionDays: 30, LegalHold: true,
		Encryption: &v1alpha1.RecordingEncryption{Recipients: []string{"age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"}},
	})
	w.settle()
	want := &v1alpha1.RecordingStatus{Store: "archive", Path: string(w.request.UID), BestEffort: true}
	if diff := cmp.Diff(want, w.request.Status.Recording); diff != "" {
		t.Errorf("status.recording (-want +got):\n%s", diff)
	}
	for _, volume := range w.pod().Spec.Volumes {
		if volume.PersistentVolumeClaim != nil {
			t.Errorf("a pod that records to a bucket mounts %s", volume.PersistentVolumeClaim.ClaimName)
		}
	}
	if got := fmt.Sprint(manifest.StoreEgress(w.networkPolicy())); got != "[198.51.100.7/32]" {
		t.Errorf("the way to the store is %s", got)
	}
	entry := w.entry()
	if entry == nil || entry.Store != "archive" || entry.RetentionDays != 30 || entry.PolicyHold == "" || !entry.ClosedAt.IsZero() || entry.Policy != "orders-fix" {
		t.Errorf("the ledger says %+v", entry)
	}
	recording := w.phase(w.provide()).Recording
	if recording.Store != grant.StoreBucket || recording.Durability != v1alpha1.DurabilityRemote || !recording.BestEffort || len(recording.Recipients) != 1 {
		t.Errorf("the proxy is told %+v", recording)
	}
}

func TestOnTheVolumeNoWayToAStoreIsOpened(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settle()
	if w.request.Status.Recording.Store != v1alpha1.StoreVolume || w.request.Status.Recording.BestEffort {
		t.Errorf("status.recording %+v", w.request.Status.Recording)
	}
	if rules := w.networkPolicy().Spec.Egress; len(rules) != 2 {
		t.Errorf("%d ways out, want target and manager", len(rules))
	}
	if recording := w.phase(w.provide()).Recording; recording.Store != grant.StoreVolume || recording.BestEffort {
		t.Errorf("the proxy is told %+v", recording)
	}
}

func TestAStoreThatCannotBeFoundKeepsTheProxyFromStarting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record(v1alpha1.RecordingPolicy{Store: "archive"})
	w.settle()
	w.expect(v1alpha1.ReasonPending)
	if left := w.leftovers(); len(left) != 0 {
		t.Errorf("started: %v", left)
	}
	w.stores.move("198.51.100.7")
	w.settle()
	w.expect(v1alpha1.ReasonAwaitingReview)
}

func TestALiveTasksNetworkPolicyFollowsItsStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stores.move("198.51.100.7")
	w.record(v1alpha1.RecordingPolicy{Store: "archive"})
	w.approve()
	w.expect(v1alpha1.ReasonActive)
	w.stores.move("198.51.100.7", "198.51.100.8")
	w.settle()
	if got := fmt.Sprint(manifest.StoreEgress(w.networkPolicy())); got != "[198.51.100.7/32 198.51.100.8/32]" {
		t.Errorf("the way to the store is %s", got)
	}
}

func TestAGrantedTaskStaysActiveWhileAnAddressIsNotKnown(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*world){
		"the target's": func(w *world) {
			w.must(w.admin.Get(w.t.Context(), client.ObjectKeyFromObject(w.target), w.target))
			w.target.Status.Addresses = nil
			w.must(w.admin.Status().Update(w.t.Context(), w.target))
		},
		"the store's": func(w *world) { w.stores.move() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.stores.move("198.51.100.7")
			w.record(v1alpha1.RecordingPolicy{Store: "archive"})
			w.approve()
			w.expect(v1alpha1.ReasonActive)
			before := w.networkPolicy()
			lose(w)
			w.settle()
			w.expect(v1alpha1.ReasonActive)
			if diff := cmp.Diff(before.Spec, w.networkPolicy().Spec); diff != "" {
				t.Errorf("its network policy has changed (-before +after):\n%s", diff)
			}
			// Nor when its pod is gone, and cannot be replaced yet.
			w.must(w.admin.Delete(t.Context(), w.pod(), client.GracePeriodSeconds(0)))
			w.settle()
			w.expect(v1alpha1.ReasonActive)
			condition := meta.FindStatusCondition(w.request.Status.Conditions, v1alpha1.ConditionProxyReady)
			if condition.Reason != v1alpha1.ReasonUnreachable {
				t.Errorf("ProxyReady is %s", describe(condition))
			}
		})
	}
}

func TestTheLedgerOutlivesTheRequestAndRetentionCountsFromItsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record(v1alpha1.RecordingPolicy{RetentionDays: 7})
	w.approve()
	w.must(w.admin.Delete(t.Context(), w.request))
	for range 10 {
		w.must(w.pass())
		_ = client.IgnoreNotFound(w.admin.Delete(t.Context(), w.pod0(), client.GracePeriodSeconds(0)))
	}
	if err := w.admin.Get(t.Context(), client.ObjectKeyFromObject(w.request), w.request); client.IgnoreNotFound(err) != nil || err == nil {
		t.Fatalf("the request is still there: %v", err)
	}
	entry := w.entry()
	if entry == nil || entry.ClosedAt.IsZero() {
		t.Fatalf("the ledger says %+v", entry)
	}
	if kept := entry.KeepUntil.Sub(entry.ClosedAt); kept != 7*24*time.Hour {
		t.Errorf("kept for %s", kept)
	}
}

// pod0 names the pod, there or not.
func (w *world) pod0() *corev1.Pod {
	return manifest.Pod(w.request, manifest.Upstream{}, w.r.Settings, manifest.Store{}, 1)
}

func TestARequestThatNeverRanLeavesNothingInTheLedger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settle()
	if w.entry() == nil {
		t.Fatal("no entry while its proxy waits")
	}
	w.decide(v1alpha1.OutcomeDenied)
	for range 6 {
		w.must(w.pass())
		_ = client.IgnoreNotFound(w.admin.Delete(t.Context(), w.pod0(), client.GracePeriodSeconds(0)))
	}
	w.expect(v1alpha1.ReasonDenied)
	if entry := w.entry(); entry != nil {
		t.Errorf("the ledger says %+v", entry)
	}
}

func TestAnEntryThatSomebodyBrokeKeepsNoTeardownWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	config := &corev1.ConfigMap{}
	w.must(w.admin.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.ProxyNamespace, Name: ledger.Name(string(w.request.UID))}, config))
	config.Data["openedAt"] = "yesterday"
	w.must(w.admin.Update(t.Context(), config))
	w.closeRequest()
	for range 6 {
		w.must(w.pass())
		_ = client.IgnoreNotFound(w.admin.Delete(t.Context(), w.pod0(), client.GracePeriodSeconds(0)))
	}
	w.expect(v1alpha1.ReasonClosed)
}

func TestPlacesAreOfTheTasksOwnObjectsAndReachable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stores.lock = stores.LockGovernance
	w.stores.move("198.51.100.7")
	w.record(v1alpha1.RecordingPolicy{Store: "archive", RetentionDays: 10})
	w.approve()
	// Another address is known by now, which the network policy does not name yet.
	w.stores.move("198.51.100.7", "198.51.100.9")
	p := w.provide()
	uid := string(w.request.UID)
	places, err := p.Places(t.Context(), uid, "s-1", 3, 2)
	w.must(err)
	names := []string{}
	for _, place := range places.Places {
		names = append(names, place.Name)
	}
	want := []string{"s-1/00000003.seg", "s-1/00000003.sig", "s-1/00000004.seg", "s-1/00000004.sig"}
	if !slices.Equal(names, want) || !strings.HasPrefix(w.stores.signed[0], uid+"/s-1/") {
		t.Errorf("places %v, signed %v", names, w.stores.signed)
	}
	if !slices.Equal(places.Addresses, []string{"198.51.100.7"}) {
		t.Errorf("addresses %v: the network policy opens one alone", places.Addresses)
	}
	if until := w.request.Status.ExpiresAt.Add(10 * 24 * time.Hour); !w.stores.keep.Until.Equal(until) || w.stores.keep.LegalHold {
		t.Errorf("kept %+v, want until %s", w.stores.keep, until)
	}
	for name, ask := range map[string]func() error{
		"a name that climbs":  func() error { _, err := p.Places(t.Context(), uid, "../other", 1, 1); return err },
		"segment 0":           func() error { _, err := p.Places(t.Context(), uid, "s-1", 0, 1); return err },
		"too many":            func() error { _, err := p.Places(t.Context(), uid, "s-1", 1, control.MaxPlaces+1); return err },
		"a request not there": func() error { _, err := p.Places(t.Context(), "nobody", "s-1", 1, 1); return err },
	} {
		if err := ask(); err == nil {
			t.Errorf("%s: places were given", name)
		}
	}
}

func TestAProxyIsNotToldToRecordBeforeItIsKnownHow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record(v1alpha1.RecordingPolicy{Encryption: &v1alpha1.RecordingEncryption{Recipients: []string{
		"age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z",
	}}})
	p := w.provide()
	uid := string(w.request.UID)
	// As a replica sees it that has not heard of the review: nothing says that it is encrypted.
	if state, err := p.State(t.Context(), uid); err == nil || !strings.Contains(err.Error(), "how to record request "+uid+" is not known") {
		t.Errorf("%+v, %v", state.Recording, err)
	}
	w.settle()
	if state := w.phase(p); len(state.Recording.Recipients) != 1 {
		t.Errorf("%+v", state.Recording)
	}
	w.closeRequest()
	w.must(w.admin.Delete(t.Context(), w.policy))
	if state := w.phase(p); state.Phase != grant.Ended {
		t.Errorf("the end is not told: %s", state.Phase)
	}
}

func TestNoPlacesBehindASignedEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stores.move("198.51.100.7")
	w.record(v1alpha1.RecordingPolicy{Store: "archive"})
	w.approve()
	p := w.provide()
	uid := string(w.request.UID)
	statements := chain(uid, "one", 2)
	statements[1].Complete = true
	for _, statement := range statements {
		_, err := p.Seal(t.Context(), uid, statement)
		w.must(err)
	}
	w.reload()
	for name, replica := range map[string]*Provider{"the one that signed": p, "another": w.provide()} {
		// What has no place yet is stored still: the last signature, for one.
		places, err := replica.Places(t.Context(), uid, "one", 2, 10)
		if err != nil || len(places.Places) != 2 || places.Places[1].Name != "one/00000002.sig" {
			t.Errorf("%s: %+v, %v", name, places.Places, err)
		}
		for _, first := range []int{3, 9999} {
			if _, err := replica.Places(t.Context(), uid, "one", first, 1); !errors.Is(err, control.ErrSealRefused) {
				t.Errorf("%s: a place for segment %d: %v", name, first, err)
			}
		}
		if places, err := replica.Places(t.Context(), uid, "two", 3, 1); err != nil || len(places.Places) != 2 {
			t.Errorf("%s: another session: %+v, %v", name, places.Places, err)
		}
	}
}

func TestNoPlacesForRecordingsOnTheVolume(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	if _, err := w.provide().Places(t.Context(), string(w.request.UID), "s-1", 1, 1); err == nil || !strings.Contains(err.Error(), "go to the volume") {
		t.Errorf("places for the volume: %v", err)
	}
}

func TestWhatIsLostStaysLostAndTheReconcilersPartIsItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	p := w.provide()
	uid := string(w.request.UID)
	head := record.Head{Session: "one", Sequence: 3, Hash: strings.Repeat("a", 64)}
	w.must(p.Report(t.Context(), uid, control.Report{Lost: "3 events: no space left on device", Heads: []record.Head{head}}))
	w.settle()
	w.must(p.Report(t.Context(), uid, control.Report{Total: 1}))
	w.settle()
	recording := w.request.Status.Recording
	if recording.Lost == "" || len(recording.Head) != 1 || recording.Store != v1alpha1.StoreVolume || recording.Path != uid {
		t.Errorf("status.recording %+v", recording)
	}
}
