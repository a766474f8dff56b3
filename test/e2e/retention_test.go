package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

// Recordings go when their time is over, and not while anybody holds them: in a bucket as
// on the volume.
func TestRecordingsAreRemovedWhenTheirTimeIsOverUnlessSomebodyHoldsThem(t *testing.T) {
	t.Parallel()
	cluster := harness.Open(t)
	archive := cluster.Archive(t)
	for name, store := range map[string]string{"volume": v1alpha1.StoreVolume, "bucket": archive.Name} {
		t.Run(name, func(t *testing.T) { retained(t, cluster, store, archive) })
	}
}

func retained(t *testing.T, cluster *harness.Cluster, store string, archive *harness.Archive) {
	d := cluster.Domain(t, func(p *harness.Policies) {
		p.Read.Recording = v1alpha1.RecordingPolicy{Store: store, RetentionDays: 30}
	})
	task := d.Granted(t, d.Bob, "pay-1", harness.TypeRead)
	stored := func() int {
		if store == archive.Name {
			return len(archive.Objects(t, task.UID))
		}
		return len(task.Files(t))
	}
	psql := task.Psql(t)
	psql.Reads(t, "SELECT name FROM customers WHERE id = 1;", "Customer 1")
	task.Close(t)
	task.AwaitGone(t, v1alpha1.ReasonClosed)
	harness.Eventually(t, harness.Patience, "the end of the request in the ledger", func() (bool, string) {
		return !task.Ledger(t).ClosedAt.IsZero(), "open"
	})
	if kept := time.Until(task.Ledger(t).KeepUntil); kept < 29*24*time.Hour || kept > 30*24*time.Hour {
		t.Errorf("kept for %v", kept)
	}
	if stored() == 0 {
		t.Fatal("nothing was recorded")
	}

	// Neither who asked nor who reads holds recordings; who may, does.
	hold := []string{"annotate", "tar", task.Name, "-n", d.Namespace, v1alpha1.AnnotationLegalHold + "=case 7"}
	d.Bob.Refused(t, []string{"hold"}, hold...)
	d.Administrator.Kubectl(t, "create", "rolebinding", "holders", "--clusterrole=sallyport-recording-holder", "--user=carol", "-n", d.Namespace)
	harness.Eventually(t, harness.Patience, "carol's right to hold", func() (bool, string) {
		result := d.Carol.Try(t, hold...)
		return result.Code == 0, result.String()
	})
	harness.Eventually(t, harness.Patience, "the hold in the ledger", func() (bool, string) {
		held := task.Ledger(t).Held()
		return strings.Contains(held, "case 7"), held
	})
	task.KeepUntil(t, time.Now().Add(-time.Hour))
	d.AwaitAudit(t, "recording.hold_set", task.UID, "case 7")
	// What the annotation causes comes after what the ledger's edit would have caused.
	d.Administrator.Kubectl(t, "annotate", "--overwrite", "tar", task.Name, "-n", d.Namespace, v1alpha1.AnnotationLegalHold+"=case 8")
	harness.Eventually(t, harness.Patience, "the other hold in the ledger", func() (bool, string) {
		held := task.Ledger(t).Held()
		return strings.Contains(held, "case 8"), held
	})
	if entry := task.Ledger(t); !entry.RemovedAt.IsZero() || stored() == 0 {
		t.Errorf("removed under a hold: %+v", entry)
	}
	says(t, task.Replay(t), "customers WHERE id = 1")

	d.Carol.Kubectl(t, "annotate", "tar", task.Name, "-n", d.Namespace, v1alpha1.AnnotationLegalHold+"-")
	harness.Eventually(t, harness.Patience, "the removal", func() (bool, string) {
		entry := task.Ledger(t)
		return !entry.RemovedAt.IsZero(), entry.Message
	})
	if left := stored(); left > 0 {
		t.Errorf("%d objects are left", left)
	}
	d.AwaitAudit(t, "recording.removed", task.UID)
	if result := d.Alice.Try(t, "access", "replay", task.Name, "-n", d.Namespace); result.Code == 0 {
		t.Errorf("replayed all the same: %s", result)
	}
}
