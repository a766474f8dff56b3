package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/manifest"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

// A session is recorded to a bucket, its proxy is killed in the middle of it, and what
// both of its lives recorded is proved on a machine that knows nothing of the cluster.
func TestREC1_ARecordingInABucketSurvivesItsProxyAndIsProvedOnAnotherMachine(t *testing.T) {
	t.Parallel()
	for _, durability := range []v1alpha1.Durability{v1alpha1.DurabilityProcess, v1alpha1.DurabilityRemote} {
		t.Run(string(durability), func(t *testing.T) {
			t.Parallel()
			cluster := harness.Open(t)
			archive := cluster.Archive(t)
			d := cluster.Domain(t, func(p *harness.Policies) {
				p.Read.Recording = v1alpha1.RecordingPolicy{Store: archive.Name, Durability: durability, Output: v1alpha1.OutputFull}
			})
			archived(t, d, archive, durability)
		})
	}
}

func archived(t *testing.T, d *harness.Domain, archive *harness.Archive, durability v1alpha1.Durability) {
	task := d.Granted(t, d.Bob, "pay-1423", harness.TypeRead)
	psql := task.Psql(t)
	psql.Reads(t, "SELECT name FROM customers WHERE id = 1;", "Customer 1")
	psql.Refuses(t, "DROP TABLE orders;", "policy")
	psql.Reads(t, "SELECT count(*) FROM orders;", "5000")
	if stored := archive.Objects(t, ".seg"); durability == v1alpha1.DurabilityRemote && len(stored) < 3 {
		t.Errorf("answered, and the bucket has %v", stored)
	}
	onlyToItsArchive(t, task, archive)

	task.RestartProxy(t)
	psql.Send(t, "SELECT 'after its proxy''s end';")
	if _, code := psql.Exit(t, harness.Patience); code == 0 {
		t.Error("the session outlived its proxy")
	}
	again := task.Psql(t)
	again.Reads(t, "SELECT name FROM customers WHERE id = 2;", "Customer 2")
	task.Close(t)
	request := task.AwaitGone(t, v1alpha1.ReasonClosed)
	if request.Status.Recording == nil || request.Status.Recording.Store != archive.Name || request.Status.Recording.Lost != "" {
		t.Errorf("the request's recording: %+v", request.Status.Recording)
	}

	replay := task.Replay(t)
	says(t, replay, "customers WHERE id = 1", "Customer 1", "DROP TABLE orders", "REFUSED", "count(*) FROM orders", "5000", "customers WHERE id = 2", "Customer 2")
	doesNotSay(t, replay, "after its proxy")
	verdict := task.Verify(t)
	if verdict.Code != 2 {
		t.Errorf("verify: exit code %d, not 2 (something has no end)", verdict.Code)
	}
	says(t, verdict.String(), "INCOMPLETE", "OK: complete", "signed up to segment")
	doesNotSay(t, verdict.String(), "FAILED", "not signed", "unsigned")
	proved(t, task)
}

// With durability Remote what the bucket has not taken does not reach the target.
func TestREC1_WithoutItsBucketNothingRunsUnrecorded(t *testing.T) {
	t.Parallel()
	cluster := harness.Open(t)
	archive := cluster.Archive(t)
	d := cluster.Domain(t, func(p *harness.Policies) {
		p.Fix.Recording = v1alpha1.RecordingPolicy{Store: archive.Name, Durability: v1alpha1.DurabilityRemote}
	})
	task := d.Granted(t, d.Bob, "pay-1", harness.TypeFix)
	note := func() string {
		return strings.Join(d.Postgres.Query(t, "SELECT coalesce(note, '') FROM orders WHERE id = 2929"), "")
	}
	d.Postgres.Exec(t, "UPDATE orders SET note = NULL WHERE id = 2929")
	psql := task.Psql(t)
	psql.Reads(t, "UPDATE orders SET note = 'recorded' WHERE id = 2929 RETURNING id;", "2929")

	archive.Stop(t)
	psql.Send(t, "UPDATE orders SET note = 'without a bucket' WHERE id = 2929;")
	if _, code := psql.Exit(t, harness.Patience); code == 0 {
		t.Error("the session went on without a recording")
	}
	says(t, psql.Err.String(), "FATAL", "record")
	if got := note(); got != "recorded" {
		t.Errorf("the target has %q", got)
	}

	archive.Start(t)
	// The proxy tries every few seconds; until then it lets nobody in.
	harness.Eventually(t, harness.Patience, "a session that is recorded", func() (bool, string) {
		result := d.Bob.Try(t, "access", "psql", task.Name, "-n", d.Namespace, "--", "-c", "UPDATE orders SET note = 'again' WHERE id = 2929")
		return result.Code == 0, result.String()
	})
	task.Close(t)
	task.AwaitGone(t, v1alpha1.ReasonClosed)
	if got := note(); got != "again" {
		t.Errorf("the target has %q", got)
	}
	// What was on record and did not run has no result.
	says(t, task.Replay(t), "note = 'recorded'", "note = 'without a bucket'", "note = 'again'")
	verdict := task.Verify(t)
	says(t, verdict.String(), "OK: complete", "signed up to segment")
	doesNotSay(t, verdict.String(), "FAILED", "not signed")
}

// onlyToItsArchive checks that a proxy may connect to its store, and has no login for it.
func onlyToItsArchive(t *testing.T, task *harness.Task, archive *harness.Archive) {
	t.Helper()
	policy := harness.Get(t, task.Domain.Cluster, &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.ProxyNamespace, Name: manifest.Name(task.UID)},
	})
	host, port, _ := strings.Cut(archive.Address, ":")
	open := false
	for _, rule := range policy.Spec.Egress {
		for _, peer := range rule.To {
			open = open || peer.IPBlock != nil && peer.IPBlock.CIDR == host+"/32" && len(rule.Ports) == 1 && rule.Ports[0].Port.String() == port
		}
	}
	if !open {
		t.Errorf("the proxy's policy does not open %s: %+v", archive.Address, policy.Spec.Egress)
	}
	for _, volume := range task.Pod(t).Spec.Volumes {
		if volume.Secret != nil || volume.PersistentVolumeClaim != nil {
			t.Errorf("the proxy mounts %+v", volume)
		}
	}
}

// proved checks a task's evidence elsewhere, and that evidence that was tampered with is
// not believed.
func proved(t *testing.T, task *harness.Task) {
	t.Helper()
	d := task.Domain
	bundle, key := task.Evidence(t), d.RecordingKeys(t)
	check := func(bundle string) harness.Result {
		return d.Elsewhere(t, "evidence", "verify", bundle, "--key", key)
	}
	genuine := check(bundle)
	// A session without an end is a gap; all else is proved.
	if genuine.Code != 2 {
		t.Errorf("exit code %d, not 2: %s", genuine.Code, genuine)
	}
	says(t, genuine.String(), "OK WITH GAPS", "signed to its end", "OK     report", "OK     teardown")
	doesNotSay(t, genuine.String(), "FAILED")
	segments := harness.Entries(t, bundle, "00000001.seg")
	if len(segments) != 2 {
		t.Fatalf("the bundle has %v", segments)
	}
	session := filepath.Base(filepath.Dir(segments[0]))
	for name, thorough := range map[string]bool{"a byte of a segment": false, "a byte of a segment, and the manifest made to fit": true} {
		forged := harness.Tampered(t, bundle, segments[0], thorough)
		result := check(forged)
		if result.Code != 1 {
			t.Errorf("%s: exit code %d, not 1: %s", name, result.Code, result)
		}
		says(t, result.String(), "FAILED", session)
		if thorough {
			says(t, result.String(), "segment 1")
		}
	}
}
