package recording

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/keeper"
)

// place is a durability on a kind of store.
type place struct {
	name string
	how  grant.Recording
}

// reader is who may read what is encrypted.
var reader = sync.OnceValues(age.GenerateX25519Identity)

var places = []place{
	{"VolumeEncrypted", grant.Recording{Durability: v1alpha1.DurabilityProcess, Recipients: []string{"reader"}}},
	{"VolumeProcess", grant.Recording{Durability: v1alpha1.DurabilityProcess}},
	{"VolumeDisk", grant.Recording{Durability: v1alpha1.DurabilityDisk}},
	{"BucketProcess", grant.Recording{Store: grant.StoreBucket, Durability: v1alpha1.DurabilityProcess}},
	{"BucketRemote", grant.Recording{Store: grant.StoreBucket, Durability: v1alpha1.DurabilityRemote}},
}

func identity(t *testing.T) *age.X25519Identity {
	t.Helper()
	made, err := reader()
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// points are the steps that a recording passes there, and at which of their times a
// fault strikes: in the middle of a session, where there is a middle.
func (p place) points() map[string]int64 {
	points := map[string]int64{}
	for _, point := range record.Points() {
		points[string(point)] = 4
	}
	for _, point := range keeper.Points() {
		points[string(point)] = 2
	}
	// Signatures are asked for once a second at most.
	points[string(keeper.PointSign)], points[string(keeper.PointSigned)] = 1, 1
	// The first journal grows before it is written to, and the others reuse its room.
	points[string(record.PointJournalGrow)] = 1
	points[string(record.PointJournalWrite)], points[string(record.PointJournalWritten)] = 17, 17
	if p.how.Durability != v1alpha1.DurabilityDisk {
		delete(points, string(record.PointJournalSync))
		delete(points, string(record.PointSealSync))
	}
	return points
}

// ends are the points at which a failure that stays must end the sessions; after the
// others it shows in what is not stored, signed or removed.
var ends = []string{
	string(record.PointJournalCreate), string(record.PointJournalGrow), string(record.PointJournalWrite),
	string(record.PointJournalWritten), string(record.PointJournalSync), string(record.PointSeal), string(record.PointSealWrite),
	string(record.PointSealSync), string(record.PointSealRename), string(record.PointSealed),
	string(keeper.PointQueued), string(keeper.PointStore), string(keeper.PointStored),
}

// TestREC1_AKilledProxyHasRecordedWhatRan kills the process at every step of writing,
// sealing, storing and signing.
func TestREC1_AKilledProxyHasRecordedWhatRan(t *testing.T) {
	t.Parallel()
	strikeEverywhere(t, "kill", func(t *testing.T, p *proxy) {
		if _, _, err := p.work(t, 60); err == nil {
			t.Error("the proxy was not killed")
		}
		select {
		case <-p.exited:
		case <-time.After(bound):
			t.Fatal("the proxy lives")
		}
		if _, struck := p.heard(func(line told) bool { return line.Struck }); !struck {
			t.Fatal("the point was not reached")
		}
	})
}

// TestREC1_AFailureAtAnyStepEndsTheSessionOrLosesNothing fails every step from some time on.
func TestREC1_AFailureAtAnyStepEndsTheSessionOrLosesNothing(t *testing.T) {
	t.Parallel()
	strikeEverywhere(t, "fail", func(t *testing.T, p *proxy) {
		p.idle(t)
		_, last, err := p.work(t, 60)
		if last > bound {
			t.Errorf("the client waited for %v", last)
		}
		p.await(t, bound, "the point was not reached", func(line told) bool { return line.Struck })
		if slices.Contains(ends, p.Point) {
			p.await(t, bound, "no session ended", func(line told) bool { return line.Ended != "" })
		} else if err != nil {
			t.Error("the session ended:", err)
		}
	})
}

func strikeEverywhere(t *testing.T, fault string, drive func(*testing.T, *proxy)) {
	for _, at := range places {
		for point, nth := range at.points() {
			t.Run(fmt.Sprintf("%s/%s", at.name, point), func(t *testing.T) {
				t.Parallel()
				how := at.how
				if len(how.Recipients) > 0 {
					how.Recipients = []string{identity(t).Recipient().String()}
				}
				s := newSetup(t, how)
				if at.how.Store == grant.StoreBucket {
					s.Bucket = newBucket(t).setup
				}
				s.Fault, s.Point, s.Nth = fault, point, nth
				p := start(t, s)
				drive(t, p)
				p.kill()
				if early, ok := p.heard(func(line told) bool { return line.Early != "" }); ok && at.how.Durability == v1alpha1.DurabilityDisk {
					t.Errorf("the target got %q before its record was on the disk", early.Early)
				}
				if at.how.Durability == v1alpha1.DurabilityRemote {
					// The node and its spool are gone.
					p.nothingRanUnrecorded(t, p.reader(t))
					return
				}
				p.takeUp(t)
				p.nothingRanUnrecorded(t, p.reader(t))
				if fault == "fail" && len(how.Recipients) > 0 {
					// What was stored, but not kept sealed in the spool, cannot be encrypted to
					// the same bytes again: it is whole, and unsigned.
					return
				}
				p.signed(t)
			})
		}
	}
}

// TestREC1_DiskIsSyncedBeforeTheTargetSeesAnything watches the order at the socket.
func TestREC1_DiskIsSyncedBeforeTheTargetSeesAnything(t *testing.T) {
	t.Parallel()
	p := start(t, newSetup(t, grant.Recording{Durability: v1alpha1.DurabilityDisk}))
	if _, _, err := p.work(t, 30); err != nil {
		t.Fatal(err)
	}
	if early, ok := p.heard(func(line told) bool { return line.Early != "" }); ok {
		t.Errorf("the target got %q before its record was on the disk", early.Early)
	}
	p.kill()
	if len(p.ran(t)) < 30 {
		t.Error("the oracle saw little")
	}
	p.nothingRanUnrecorded(t, p.reader(t))
	// The watch itself sees: without syncs it would tell.
	blind := start(t, newSetup(t, grant.Recording{}))
	if _, _, err := blind.work(t, 2); err != nil {
		t.Fatal(err)
	}
	blind.await(t, bound, "the watch at the socket is blind", func(line told) bool { return line.Early != "" })
}

// TestREC1_BestEffortGoesOnAndSaysWhatIsLost is the other half of the bargain.
func TestREC1_BestEffortGoesOnAndSaysWhatIsLost(t *testing.T) {
	t.Parallel()
	s := newSetup(t, grant.Recording{BestEffort: true})
	s.Fault, s.Point, s.Nth = "fail", string(record.PointJournalWrite), 17
	p := start(t, s)
	if _, _, err := p.work(t, 60); err != nil {
		t.Error("the session ended:", err)
	}
	p.await(t, bound, "nobody was told", func(line told) bool { return line.Lost != "" })
	p.kill()
	p.takeUp(t)
	if holds := recorded(t, p.reader(t)); len(holds) == 0 || len(holds) >= len(p.ran(t)) {
		t.Errorf("%d are recorded, %d ran", len(holds), len(p.ran(t)))
	}
}

// without removes the spool, as a node's death does.
func (p *proxy) without(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(p.Spool); err != nil {
		t.Fatal(err)
	}
}
