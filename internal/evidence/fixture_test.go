package evidence_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/digest"
	"github.com/sallyport/sallyport/internal/evidence"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/tarfs"
)

// hostile is a text that tries to leave wherever it is put.
const hostile = "</td><script>alert(1)</script> | **b** [l](javascript:x) `c` <!-- ``` \u2028 \x1b[2J \u202e www.example.com a@b.c"

var (
	noon    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	signing = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	other   = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize))
)

func public(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

func moment(minutes int) *metav1.Time {
	return new(metav1.NewTime(noon.Add(time.Duration(minutes) * time.Minute)))
}

// world is a request that has come to its end, and everything about it.
type world struct {
	evidence.Material

	folder string
}

// newWorld is the whole story: two reviewers, one session with an allowed, a refused, a
// masked and a held operation, and a proved teardown.
func newWorld(t *testing.T, recipients ...age.Recipient) *world {
	t.Helper()
	requirements := []v1alpha1.ReviewRequirement{
		{Name: "dba", Groups: []string{"dbas"}, Count: 1},
		{Name: "owner", Users: []string{"carol"}, Count: 1},
	}
	policy := &v1alpha1.AccessPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "orders-fix", Namespace: "team", UID: "p-1"},
		Spec: v1alpha1.AccessPolicySpec{
			TaskTypes: []string{"data-fix"}, Targets: []string{"orders"},
			Rules:  []v1alpha1.Rule{{Name: "no-where", When: "action.kind == 'update'", Effect: v1alpha1.EffectHold, Message: hostile}},
			Review: v1alpha1.ReviewPolicy{Requirements: requirements, ExpiresAfterSeconds: 3600},
			Hold:   v1alpha1.HoldPolicy{Requirements: requirements[:1]},
		},
	}
	target := &v1alpha1.AccessTarget{ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: "team", UID: "t-1"}}
	request := &v1alpha1.TaskAccessRequest{
		ObjectMeta: metav1.ObjectMeta{Name: "pay-1423", Namespace: "team", UID: "6f1f", CreationTimestamp: *moment(0)},
		Spec: v1alpha1.TaskAccessRequestSpec{
			Requester: v1alpha1.Requester{Username: "bob", Groups: []string{"devs"}},
			Task:      v1alpha1.Task{ID: "PAY-1423", Type: "data-fix", URL: "https://tracker.example/PAY-1423"},
			Target:    "orders", Reason: "customer sees the wrong total " + hostile, DurationSeconds: 1800, State: v1alpha1.StateClosed,
		},
	}
	w := &world{folder: t.TempDir()}
	w.Request, w.Policy, w.Target = request, policy, target
	w.bind()
	w.review(requirements)
	request.Status.GrantedAt, request.Status.ExpiresAt = moment(11), moment(41)
	request.Status.Credential = &v1alpha1.IssuedCredential{Type: "Role", Name: "sallyport_6f1f", ValidUntil: moment(41)}
	request.Status.Ended = &v1alpha1.Ended{Reason: "Closed", Message: "closed by bob", At: *moment(30)}
	request.Status.ClosedAt = moment(31)
	request.Status.Teardown = &v1alpha1.Teardown{Proved: true, Message: "role absent, 0 backends", CheckedAt: moment(31)}
	request.Status.Conditions = []metav1.Condition{{
		Type: "Ready", Status: metav1.ConditionFalse, Reason: "Closed", Message: "closed by bob; role absent", LastTransitionTime: *moment(31),
	}}
	request.Status.Recording = &v1alpha1.RecordingStatus{Path: "6f1f"}
	w.Events = []evidence.Event{{Time: noon, Object: "TaskAccessRequest/pay-1423", Type: "Normal", Reason: "AwaitingReview", Message: hostile}}
	w.record(t, "0195-a", true, recipients, session()...)
	w.record(t, "0195-b", true, recipients, record.Event{Type: record.EventEnd, End: &record.End{Reason: "the client left"}})
	w.Recordings = store.FS(os.DirFS(w.folder))
	w.Keys = []ed25519.PublicKey{public(signing)}
	w.Created = noon.Add(24 * time.Hour)
	return w
}

// bind latches the digests of request, policy and target.
func (w *world) bind() {
	w.Request.Status.Policy, w.Request.Status.Target = new(digest.BindPolicy(w.Policy)), new(digest.BindTarget(w.Target))
	w.Request.Status.RequestDigest = digest.Request(w.Request)
	w.Request.Status.Review = "pay-1423-review"
}

// review is the review of the request, and that of the held operation.
func (w *world) review(requirements []v1alpha1.ReviewRequirement) {
	question := v1alpha1.Question{
		Subject:   v1alpha1.Subject{Kind: v1alpha1.SubjectRequest, Request: digest.BindRequest(w.Request)},
		Requester: w.Request.Spec.Requester, Task: w.Request.Spec.Task, Reason: w.Request.Spec.Reason, DurationSeconds: 1800,
		Policy: *w.Request.Status.Policy, Target: *w.Request.Status.Target, Requirements: requirements, ExpiresAt: *moment(60),
	}
	held := question
	held.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectStatement, Request: question.Subject.Request, Held: &v1alpha1.HeldOperation{
		ID: "0195-a/3", Point: v1alpha1.HoldAtStatement, Digest: strings.Repeat("cd", 32), Rule: "no-where", Kind: "update", Text: "UPDATE orders SET paid = true -- " + hostile,
	}}
	held.Requirements = requirements[:1]
	alice := v1alpha1.Decision{Reviewer: "alice", Groups: []string{"dbas"}, Verdict: v1alpha1.VerdictApprove, Message: "looks right " + hostile}
	carol := v1alpha1.Decision{Reviewer: "carol", Verdict: v1alpha1.VerdictApprove}
	w.Reviews = []v1alpha1.ApprovalReview{
		{
			ObjectMeta: metav1.ObjectMeta{Name: "pay-1423-review", Namespace: "team", UID: types.UID("r-1"), CreationTimestamp: *moment(0)},
			Spec:       v1alpha1.ApprovalReviewSpec{Question: question, Decisions: []v1alpha1.Decision{alice, carol}},
			Status: v1alpha1.ApprovalReviewStatus{Outcome: v1alpha1.OutcomeApproved, DecidedAt: moment(10), Latched: []v1alpha1.LatchedDecision{
				{Reviewer: "alice", At: *moment(5), Verdict: v1alpha1.VerdictApprove, Counted: true, Seat: "dba"},
				{Reviewer: "carol", At: *moment(10), Verdict: v1alpha1.VerdictApprove, Counted: true, Seat: "owner"},
			}},
		},
		{
			ObjectMeta: metav1.ObjectMeta{Name: "pay-1423-held", Namespace: "team", UID: types.UID("r-2"), CreationTimestamp: *moment(15)},
			Spec:       v1alpha1.ApprovalReviewSpec{Question: held, Decisions: []v1alpha1.Decision{alice}},
			Status: v1alpha1.ApprovalReviewStatus{Outcome: v1alpha1.OutcomeApproved, DecidedAt: moment(16), Latched: []v1alpha1.LatchedDecision{
				{Reviewer: "alice", At: *moment(16), Verdict: v1alpha1.VerdictApprove, Counted: true, Seat: "dba"},
			}},
		},
	}
}

// session is the events of the session in which something happens.
func session() []record.Event {
	allow := func(id int64) *record.Verdict {
		return &record.Verdict{Operation: id, Effect: "Allow", Policy: "orders-fix", Rule: "grant"}
	}
	return []record.Event{
		{Type: record.EventOperation, Operation: &record.Operation{ID: 1, Kind: "select", Text: "SELECT email FROM customers"}, Verdict: allow(1)},
		{Type: record.EventResult, Result: &record.Result{Operation: 1, Tag: "SELECT 2", Rows: 2, Bytes: 80, Masked: map[string]int64{"column public.customers.email": 2}}},
		{
			Type: record.EventOperation, Operation: &record.Operation{ID: 2, Kind: "drop table", Text: record.Text("DROP TABLE orders -- " + hostile)},
			Verdict: &record.Verdict{Operation: 2, Effect: "Deny", Policy: "orders-fix", Rule: "grant", Message: "not granted"},
		},
		{Type: record.EventOperation, Operation: &record.Operation{ID: 3, Kind: "update", Text: "UPDATE orders SET paid = true"}},
		{Type: record.EventHold, Hold: &record.Hold{Operation: 3, Review: "pay-1423-held", Point: "Statement", Digest: strings.Repeat("cd", 32)}},
		{Type: record.EventHold, Hold: &record.Hold{Operation: 3, Review: "pay-1423-held", Point: "Statement", Digest: strings.Repeat("cd", 32), Outcome: "Approved"}},
		{Type: record.EventVerdict, Verdict: allow(3)},
		{Type: record.EventResult, Result: &record.Result{Operation: 3, Tag: "UPDATE 1", Rows: 1}},
		{Type: record.EventEnd, End: &record.End{Reason: "the client left", Allowed: 2, Refused: 1}},
	}
}

// record writes a session as its proxy and the manager do: segments, signatures, and the
// head in the request's status.
func (w *world) record(t *testing.T, session string, signed bool, recipients []age.Recipient, events ...record.Event) {
	t.Helper()
	now := w.now()
	var sealed []record.Sealed
	writer, err := record.NewWriter(record.Options{
		Start: record.Start{
			Session: session, RequestUID: "6f1f", Request: "pay-1423", Namespace: "team", Task: "PAY-1423", User: "bob",
			Proof: "token", Remote: "10.0.0.7:51234", Target: "orders", Protocol: "postgres",
		},
		Spool: filepath.Join(t.TempDir(), session), Recipients: recipients, SegmentBytes: 600,
		Now: now, Sealed: func(s record.Sealed) { sealed = append(sealed, s) },
	})
	if err == nil {
		err = writer.Append(events...)
	}
	if err != nil {
		t.Fatal(err)
	}
	head := writer.Head()
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	reported := v1alpha1.RecordingHead{Session: session, Sequence: head.Sequence, Hash: head.Hash, Complete: head.Complete}
	for _, s := range sealed {
		w.put(t, store.SegmentName(session, s.Segment), s.Content)
		if !signed {
			continue
		}
		signature := record.Sign(signing, s.Statement, now())
		w.put(t, store.SignatureName(session, s.Segment), signature.Encode())
		reported.Sealed = &v1alpha1.SealedHead{
			Segment: int64(s.Segment), Sequence: s.Last, Hash: s.Hash, Key: signature.Key,
			Signature: base64.StdEncoding.EncodeToString(signature.Signature),
		}
	}
	w.Request.Status.Recording.Head = append(w.Request.Status.Recording.Head, reported)
}

// now is a clock that goes on by a second at each look.
func (*world) now() func() time.Time {
	now := noon.Add(12 * time.Minute)
	return func() time.Time { now = now.Add(time.Second); return now }
}

func (w *world) put(t *testing.T, name string, content []byte) {
	t.Helper()
	path := filepath.Join(w.folder, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// bundle writes the world's bundle, and returns its bytes.
func (w *world) bundle(t *testing.T) []byte {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "bundle.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if _, err := evidence.Write(t.Context(), file, w.Material); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func open(t *testing.T, bundle []byte) fs.FS {
	t.Helper()
	files, err := tarfs.Read(bytes.NewReader(bundle), int64(len(bundle)), tarfs.RefuseLinks)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func check(t *testing.T, bundle fs.FS, trust evidence.Trust) *evidence.Result {
	t.Helper()
	result, err := evidence.Check(t.Context(), bundle, trust)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// trusted is what an auditor has.
func trusted() evidence.Trust { return evidence.Trust{Keys: []ed25519.PublicKey{public(signing)}} }

// said is all findings of a level, one on a line.
func said(result *evidence.Result, level evidence.Level) string {
	var out strings.Builder
	for _, f := range result.Findings {
		if f.Level == level {
			out.WriteString(f.Subject + ": " + f.Text + "\n")
		}
	}
	return out.String()
}
