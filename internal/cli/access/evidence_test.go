package access

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/recording/recordingtest"
	"github.com/sallyport/sallyport/internal/digest"
	"github.com/sallyport/sallyport/internal/reader/readerapi"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
)

// closed is a request that was reviewed, granted, used in one session, and closed; audit
// is the API server as its auditor.
func closed(t *testing.T) (d *desk, folder *recordingtest.Folder, audit *rest.Config) {
	t.Helper()
	server := apitest.Start(t)
	task := server.NewTask(t.Context(), t, now)
	d = &desk{t: t, server: server, namespace: task.Namespace}
	folder = recordingtest.New(t)
	start := recordingtest.Start("0195-a")
	start.RequestUID, start.Namespace = string(task.Request.UID), task.Namespace
	head := folder.Session(t, start,
		recordingtest.Operation(1, "select", "SELECT total FROM orders", "Allow"), recordingtest.Result(1, 1, "SELECT 1"),
		recordingtest.Operation(2, "drop table", "DROP TABLE orders", "Deny"), recordingtest.End(1, 1))

	at := func(minutes int) *metav1.Time {
		return new(metav1.NewTime(recordingtest.Began.Add(time.Duration(minutes) * time.Minute)))
	}
	decide(d, task, at)
	r := d.get("pay-1423")
	d.status(r, func(s *v1alpha1.TaskAccessRequestStatus) {
		s.Policy, s.Target = new(digest.BindPolicy(task.Policy)), new(digest.BindTarget(task.Target))
		s.RequestDigest, s.Review = digest.Request(task.Request), task.Review.Name
		s.GrantedAt, s.ExpiresAt, s.ClosedAt = at(-1), at(29), at(6)
		s.Ended = &v1alpha1.Ended{Reason: "Closed", Message: "closed by bob", At: *at(5)}
		s.Teardown = &v1alpha1.Teardown{Proved: true, Message: "role absent, 0 backends", CheckedAt: at(6)}
		s.Recording = &v1alpha1.RecordingStatus{Head: []v1alpha1.RecordingHead{reported(t, folder, head)}}
	})
	eve := server.User(t, "eve")
	for _, resource := range []string{"taskaccessrequests", "accesspolicies", "accesstargets", "approvalreviews"} {
		server.Allow(t.Context(), t, d.namespace, "eve", resource, []string{"get", "list"})
	}
	return d, folder, apitest.Front(t, eve, serving(t, folder, string(task.Request.UID)))
}

// decide has alice approve, and the manager count that.
func decide(d *desk, task *apitest.Task, at func(int) *metav1.Time) {
	d.t.Helper()
	review := task.Review
	review.Labels = map[string]string{v1alpha1.LabelRequestUID: string(task.Request.UID)}
	review.Spec.Decisions = []v1alpha1.Decision{{Reviewer: "alice", Groups: []string{"dba"}, Verdict: v1alpha1.VerdictApprove, Message: "go ahead"}}
	if err := d.server.Client.Update(d.t.Context(), review); err != nil {
		d.t.Fatal(err)
	}
	review.Status = v1alpha1.ApprovalReviewStatus{
		Outcome: v1alpha1.OutcomeApproved, DecidedAt: at(-2),
		Latched: []v1alpha1.LatchedDecision{{Reviewer: "alice", At: *at(-2), Verdict: v1alpha1.VerdictApprove, Counted: true, Seat: "dba"}},
	}
	if err := d.server.Client.Status().Update(d.t.Context(), review); err != nil {
		d.t.Fatal(err)
	}
}

// reported is what the manager knows of a recording.
func reported(t *testing.T, folder *recordingtest.Folder, head record.Head) v1alpha1.RecordingHead {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(folder.Path, store.SignatureName(head.Session, 1)))
	if err != nil {
		t.Fatal(err)
	}
	signature, err := record.ParseSignature(content)
	if err != nil {
		t.Fatal(err)
	}
	return v1alpha1.RecordingHead{Session: head.Session, Sequence: head.Sequence, Hash: head.Hash, Complete: head.Complete, Sealed: &v1alpha1.SealedHead{
		Segment: 1, Sequence: signature.Last, Hash: signature.Hash, Key: signature.Key, Signature: base64.StdEncoding.EncodeToString(signature.Signature),
	}}
}

// serving is the reader of recordings, with those of a folder.
func serving(t *testing.T, folder *recordingtest.Folder, uid string) func(http.ResponseWriter, *http.Request) bool {
	from := store.FS(os.DirFS(folder.Path))
	key := folder.PublicPEM(t)
	return func(w http.ResponseWriter, r *http.Request) bool {
		query := r.URL.Query()
		session, object := query.Get(readerapi.ParameterSession), query.Get(readerapi.ParameterObject)
		switch {
		case !strings.HasPrefix(r.URL.Path, "/apis/"+readerapi.Group+"/"):
			return false
		case session == "":
			sessions, _ := from.Sessions(r.Context())
			list := readerapi.RecordingList{RequestUID: uid, Store: "volume", Keys: []string{key}}
			for _, name := range sessions {
				list.Items = append(list.Items, readerapi.Recording{Session: name})
			}
			_ = json.NewEncoder(w).Encode(list)
		case object == "":
			objects, _ := from.List(r.Context(), session)
			list := readerapi.ObjectList{RequestUID: uid, Session: session}
			for _, o := range objects {
				list.Items = append(list.Items, readerapi.Object{Name: readerapi.Short(session, o.Name), Size: o.Size})
			}
			_ = json.NewEncoder(w).Encode(list)
		default:
			content, err := from.Open(r.Context(), readerapi.Full(session, object), 0)
			if err != nil {
				http.NotFound(w, r)
				return true
			}
			_, _ = io.Copy(w, content)
			_ = content.Close()
		}
		return true
	}
}

// nowhere is a cluster that does not answer.
var nowhere = &rest.Config{Host: "http://127.0.0.1:1"}

func TestEvidenceOfARequestIsCheckedWithoutTheCluster(t *testing.T) {
	t.Parallel()
	d, folder, audit := closed(t)
	bundle, key := filepath.Join(t.TempDir(), "bundle.tar"), filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(key, []byte(folder.PublicPEM(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, said, err := d.execute(audit, "evidence", "PAY-1423", "-o", bundle)
	if err != nil || !strings.HasPrefix(out, bundle+": evidence of pay-1423, SHA-256 of its manifest ") {
		t.Fatalf("%v\n%s%s", err, out, said)
	}
	if info, err := os.Stat(bundle); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v, %v", info.Mode(), err)
	}
	out, _, err = d.execute(nowhere, "evidence", "verify", bundle, "--key", key)
	if err != nil || !strings.Contains(out, "\nOK: this is what was recorded") || !strings.Contains(out, "signed to its end by key "+record.KeyID(folder.Key.Public().(ed25519.PublicKey))) {
		t.Errorf("%v\n%s", err, out)
	}
	for _, offline := range []string{"verify", "replay"} {
		if out, _, err := d.execute(nowhere, offline, "--from", bundle); err != nil && kube.ExitCode(err) == 1 || !strings.Contains(out, "0195-a") {
			t.Errorf("kubectl access %s does not read a bundle: %v\n%s", offline, err, out)
		}
	}

	out, _, err = d.execute(nowhere, "evidence", "verify", bundle)
	if kube.ExitCode(err) != 3 || !strings.Contains(out, "GAP    keys: no key was given") || !strings.Contains(out, "\nUNVERIFIED: ") {
		t.Errorf("without a key: %v\n%s", err, out)
	}
	out, _, err = d.execute(nowhere, "evidence", "verify", bundle, "--without-key")
	if kube.ExitCode(err) != 2 || !strings.Contains(out, "\nOK WITH GAPS: ") {
		t.Errorf("by itself: %v\n%s", err, out)
	}
	content, err := os.ReadFile(bundle)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bundle, []byte(strings.Replace(string(content), "go ahead", "no, deny", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _, err = d.execute(nowhere, "evidence", "verify", bundle, "--key", key)
	if kube.ExitCode(err) != 1 || !strings.Contains(out, "FAILED file reviews/request.json: it was changed") || !strings.Contains(out, "\nFAILED: do not believe it") {
		t.Errorf("changed: %v\n%s", err, out)
	}
}

func TestEvidenceSaysWhatItNeedsAndWhatIsMissing(t *testing.T) {
	t.Parallel()
	d, _, audit := closed(t)
	bundle := filepath.Join(t.TempDir(), "bundle.tar")
	policy := &v1alpha1.AccessPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: d.namespace, Name: "orders-read"}}
	if err := d.server.Client.Delete(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	_, said, err := d.execute(audit, "evidence", "pay-1423", "-o", bundle)
	if err != nil || !strings.Contains(said, "missing: the policy orders-read was deleted") || !strings.Contains(said, "without the cluster's events") {
		t.Errorf("%v\n%s", err, said)
	}
	out, _, err := d.execute(nowhere, "evidence", "verify", bundle, "--without-key")
	if kube.ExitCode(err) != 2 || !strings.Contains(out, "GAP    policy: it is not in the bundle") {
		t.Errorf("%v\n%s", err, out)
	}
	mallory := d.server.User(t, "mallory")
	d.server.Allow(t.Context(), t, d.namespace, "mallory", "taskaccessrequests", []string{"get"})
	_, _, err = d.execute(apitest.Front(t, mallory, serving(t, recordingtest.New(t), string(d.get("pay-1423").UID))), "evidence", "pay-1423", "-o", bundle+"2")
	if !strings.Contains(kube.Message(err), "approvalreviews") {
		t.Errorf("no right to reviews: %v", err)
	}
	if _, err := os.Stat(bundle + "2"); !errors.Is(err, os.ErrNotExist) {
		t.Error("a bundle that failed is there")
	}
}

func TestExportWritesEveryFormatFromTheClusterAndFromAFolder(t *testing.T) {
	t.Parallel()
	d, folder, audit := closed(t)
	for format, want := range map[string]string{
		"csv": ",Deny,orders-read,grant", "jsonl": `"text":"DROP TABLE orders"`, "asciicast": `{"version":2,`, "html": "<!doctype html>",
	} {
		out, said, err := d.execute(audit, "export", "pay-1423", "--format", format)
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v\n%s%s", format, err, out, said)
		}
		file := filepath.Join(t.TempDir(), "out")
		if _, _, err := d.execute(nowhere, "export", "--from", folder.Path, "--format", format, "-o", file); err != nil {
			t.Errorf("%s: %v", format, err)
		}
		if offline, err := os.ReadFile(file); err != nil || string(offline) != out {
			t.Errorf("%s: a folder gives something else: %v", format, err)
		}
	}
	_, _, err := d.execute(nowhere, "export", "pay-1423", "--format", "pdf")
	d.want(kube.Message(err), `error: unknown format "pdf": use --format with one of asciicast, jsonl, csv, html`)
}

func TestAnExportThatIsNotWholeSaysSoInItsExitCode(t *testing.T) {
	t.Parallel()
	folder := recordingtest.New(t)
	folder.Session(t, recordingtest.Start("0195-a"), recordingtest.Operation(1, "select", "SELECT 1", "Allow"))
	folder.Session(t, recordingtest.Start("0195-b"), recordingtest.Operation(1, "select", "SELECT 2", "Allow"), recordingtest.End(1, 0))
	d := &desk{t: t}
	out, said, err := d.execute(nowhere, "export", "--from", folder.Path, "--format", "csv")
	if kube.ExitCode(err) != 2 || !strings.Contains(out, "SELECT 1") || !strings.Contains(out, "SELECT 2") || !strings.Contains(said, "session 0195-a: incomplete") {
		t.Errorf("incomplete: %v\n%s%s", err, out, said)
	}
	_, _, err = d.execute(nowhere, "export", "--from", folder.Path, "--format", "asciicast")
	d.want(kube.Message(err), "error: an asciicast holds one session: say --session with one of 0195-a, 0195-b")
	segment := filepath.Join(folder.Path, store.SegmentName("0195-a", 1))
	content, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)-10] ^= 1
	if err := os.WriteFile(segment, content, 0o600); err != nil {
		t.Fatal(err)
	}
	out, said, err = d.execute(nowhere, "export", "--from", folder.Path, "--format", "csv")
	if kube.ExitCode(err) != 1 || !strings.Contains(out, "SELECT 2") || !strings.Contains(said, "session 0195-a: corrupt") {
		t.Errorf("corrupt: %v\n%s%s", err, out, said)
	}
}
