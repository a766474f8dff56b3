package lifecycle

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/audit"
	"github.com/sallyport/sallyport/internal/ledger"
)

var (
	begun = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	seen  = begun.Add(time.Hour)
)

func at(seconds int) metav1.Time {
	return metav1.NewTime(begun.Add(time.Duration(seconds) * time.Second))
}

func condition(kind string, status metav1.ConditionStatus, reason string, since int) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: reason + " in words", LastTransitionTime: at(since)}
}

// newRequest is one that was just made.
func newRequest() *v1alpha1.TaskAccessRequest {
	return &v1alpha1.TaskAccessRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "pay-1423", UID: "0e5f", ResourceVersion: "1", CreationTimestamp: at(0)},
		Spec: v1alpha1.TaskAccessRequestSpec{
			Requester: v1alpha1.Requester{Username: "alice", Groups: []string{"developers"}},
			Task:      v1alpha1.Task{ID: "PAY-1423", Type: "data-fix"}, Target: "orders", Reason: "double charge", DurationSeconds: 600,
		},
	}
}

// step changes a request as the manager does.
type step func(*v1alpha1.TaskAccessRequest)

func after(steps ...step) *v1alpha1.TaskAccessRequest {
	request := newRequest()
	for _, s := range steps {
		s(request)
	}
	return request
}

func refused(r *v1alpha1.TaskAccessRequest) {
	r.Status.Conditions = []metav1.Condition{condition(v1alpha1.ConditionPolicyMatched, metav1.ConditionFalse, v1alpha1.ReasonNoPolicy, 1)}
}

func ambiguous(r *v1alpha1.TaskAccessRequest) {
	r.Status.Conditions[0].Reason = v1alpha1.ReasonAmbiguous
}

func matched(r *v1alpha1.TaskAccessRequest) {
	r.Status.Conditions = []metav1.Condition{condition(v1alpha1.ConditionPolicyMatched, metav1.ConditionTrue, "Matched", 2)}
	r.Status.Policy = &v1alpha1.Bound{Name: "orders-fix", UID: "p-1", Digest: "v1:sha256:aa"}
	r.Status.Target = &v1alpha1.Bound{Name: "orders", UID: "t-1", Digest: "v1:sha256:bb"}
	r.Status.Review = "pay-1423-0e5f"
}

func proxyReady(since int) step {
	return func(r *v1alpha1.TaskAccessRequest) {
		r.Status.Endpoint = &v1alpha1.Endpoint{Pod: "task-0e5f"}
		r.Status.Conditions = append(r.Status.Conditions, condition(v1alpha1.ConditionProxyReady, metav1.ConditionTrue, v1alpha1.ReasonReady, since))
	}
}

func isolated(status metav1.ConditionStatus) step {
	return func(r *v1alpha1.TaskAccessRequest) {
		r.Status.Conditions = append(r.Status.Conditions, condition(v1alpha1.ConditionIsolated, status, "Looked", 4))
	}
}

func granted(r *v1alpha1.TaskAccessRequest) {
	r.Status.GrantedAt, r.Status.ExpiresAt = new(at(10)), new(at(610))
	r.Status.Credential = &v1alpha1.IssuedCredential{Type: v1alpha1.CredentialEphemeralRole, Name: "sallyport_0e5f"}
}

func extended(r *v1alpha1.TaskAccessRequest) { r.Status.ExpiresAt = new(at(910)) }

func head(sequence, sealed int64, complete bool) step {
	return func(r *v1alpha1.TaskAccessRequest) {
		h := v1alpha1.RecordingHead{Session: "s-1", Sequence: sequence, Hash: "cc", Complete: complete}
		if sealed > 0 {
			h.Sealed = &v1alpha1.SealedHead{Segment: 2, Sequence: sealed, Key: "k-1"}
		}
		r.Status.Recording = &v1alpha1.RecordingStatus{Head: []v1alpha1.RecordingHead{h}}
	}
}

func lost(r *v1alpha1.TaskAccessRequest) {
	r.Status.Recording = &v1alpha1.RecordingStatus{BestEffort: true, Lost: "3 events: no space left on device"}
}

func ended(r *v1alpha1.TaskAccessRequest) {
	r.Status.Ended = &v1alpha1.Ended{Reason: v1alpha1.ReasonClosed, Message: "the request was closed", At: at(100)}
}

func unreachable(r *v1alpha1.TaskAccessRequest) {
	r.Status.Teardown = &v1alpha1.Teardown{Message: "not proved yet: timeout", CheckedAt: new(at(101))}
}

func closed(proved bool) step {
	return func(r *v1alpha1.TaskAccessRequest) {
		r.Status.Teardown = &v1alpha1.Teardown{Proved: proved, Message: "role gone", CheckedAt: new(at(102))}
		r.Status.ClosedAt = new(at(103))
	}
}

func annotated(key, value, version string) step {
	return func(r *v1alpha1.TaskAccessRequest) {
		r.ResourceVersion = version
		metav1.SetMetaDataAnnotation(&r.ObjectMeta, key, value)
	}
}

func types(events []audit.Event) []audit.Type {
	out := []audit.Type{}
	for _, e := range events {
		out = append(out, e.Type)
	}
	return out
}

func TestEachStepOfARequestIsToldOnce(t *testing.T) {
	t.Parallel()
	hold := v1alpha1.AnnotationLegalHold
	for name, c := range map[string]struct {
		old, now *v1alpha1.TaskAccessRequest
		want     []audit.Type
	}{
		"made":                            {nil, after(), []audit.Type{audit.RequestCreated}},
		"nothing new":                     {after(matched), after(matched), []audit.Type{}},
		"refused":                         {after(), after(refused), []audit.Type{audit.RequestRefused}},
		"refused for another reason":      {after(refused), after(refused, ambiguous), []audit.Type{audit.RequestRefused}},
		"matched":                         {after(refused), after(matched), []audit.Type{audit.RequestMatched}},
		"over the quota":                  {after(matched), after(matched, overQuota), []audit.Type{audit.RequestRefused}},
		"proxy ready":                     {after(matched), after(matched, proxyReady(3)), []audit.Type{audit.ProxyReady}},
		"proxy replaced":                  {after(matched, proxyReady(3)), after(matched, proxyReady(9)), []audit.Type{audit.ProxyReady}},
		"isolated":                        {after(matched), after(matched, isolated(metav1.ConditionTrue)), []audit.Type{audit.ProxyIsolated}},
		"not isolated":                    {after(matched), after(matched, isolated(metav1.ConditionFalse)), []audit.Type{audit.ProxyExposed}},
		"granted":                         {after(matched), after(matched, granted), []audit.Type{audit.GrantIssued}},
		"extended":                        {after(matched, granted), after(matched, granted, extended), []audit.Type{audit.GrantExtended}},
		"ended before a grant":            {after(matched), after(matched, ended), []audit.Type{audit.RequestEnded}},
		"ended after a grant":             {after(matched, granted), after(matched, granted, ended), []audit.Type{audit.RequestEnded, audit.GrantRevoked}},
		"recorded so far":                 {after(matched), after(matched, head(5, 3, false)), []audit.Type{}},
		"recorded whole, not signed":      {after(matched), after(matched, head(5, 3, true)), []audit.Type{}},
		"recorded whole and signed":       {after(matched, head(5, 3, true)), after(matched, head(5, 5, true)), []audit.Type{audit.RecordingSealed}},
		"recording lost":                  {after(matched), after(matched, lost), []audit.Type{audit.RecordingLost}},
		"target unreachable":              {after(ended), after(ended, unreachable), []audit.Type{audit.TeardownUnproved}},
		"torn down":                       {after(ended, unreachable), after(ended, closed(true)), []audit.Type{audit.TeardownProved}},
		"torn down, static":               {after(ended), after(ended, closed(false)), []audit.Type{audit.TeardownUnproved}},
		"abandoned":                       {after(ended), after(ended, closed(false), annotated(v1alpha1.AnnotationAbandon, "dead", "2")), []audit.Type{audit.TeardownAbandoned}},
		"closed on an open recording":     {after(ended, head(5, 3, false)), after(ended, head(5, 3, false), closed(true)), []audit.Type{audit.RecordingIncomplete, audit.TeardownProved}},
		"held":                            {after(), after(annotated(hold, "case 7", "2")), []audit.Type{audit.RecordingHoldSet}},
		"held for another reason":         {after(annotated(hold, "case 7", "2")), after(annotated(hold, "case 8", "3")), []audit.Type{audit.RecordingHoldSet}},
		"hold lifted":                     {after(annotated(hold, "case 7", "2")), after(), []audit.Type{audit.RecordingHoldCleared}},
		"several steps that came at once": {nil, after(matched, proxyReady(3), granted, ended), []audit.Type{audit.RequestCreated, audit.RequestMatched, audit.ProxyReady, audit.GrantIssued, audit.RequestEnded, audit.GrantRevoked}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, types(Request(c.old, c.now, seen))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func overQuota(r *v1alpha1.TaskAccessRequest) {
	r.Status.Conditions = append(r.Status.Conditions, condition(v1alpha1.ConditionProxyReady, metav1.ConditionFalse, quota, 3))
}

// TestANewLeaderTellsTheSameEvents walks through a life step by step, as the old leader
// saw it, and compares with what a new one sees at once.
func TestANewLeaderTellsTheSameEvents(t *testing.T) {
	t.Parallel()
	life := []step{matched, proxyReady(3), isolated(metav1.ConditionTrue), granted, extended, head(5, 5, true), ended, closed(true)}
	var old *v1alpha1.TaskAccessRequest
	told := map[string]audit.Type{}
	for n := range len(life) + 1 {
		now := after(life[:n]...)
		for _, e := range Request(old, now, seen.Add(time.Duration(n)*time.Minute)) {
			if _, again := told[e.ID]; again {
				t.Errorf("%s was told again", e.Type)
			}
			told[e.ID] = e.Type
		}
		old = now
	}
	anew := map[string]audit.Type{}
	for _, e := range Request(nil, after(life...), seen.Add(time.Hour)) {
		anew[e.ID] = e.Type
	}
	if diff := cmp.Diff(told, anew); diff != "" || len(anew) != 10 {
		t.Errorf("%d events (-old leader +new leader):\n%s", len(anew), diff)
	}
}

func TestAGrantIsToldWithItsEnd(t *testing.T) {
	t.Parallel()
	events := Request(after(matched), after(matched, granted, extended), seen)
	want := []any{
		audit.Grant{Target: "orders", Requester: "alice", CredentialType: "EphemeralRole", CredentialName: "sallyport_0e5f", GrantedAt: at(10).Time, ExpiresAt: at(610).Time},
		audit.Grant{Target: "orders", Requester: "alice", CredentialType: "EphemeralRole", CredentialName: "sallyport_0e5f", GrantedAt: at(10).Time, ExpiresAt: at(910).Time},
	}
	got := []any{}
	for _, e := range events {
		got = append(got, e.Data)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if subject := events[0].Subject.String(); subject != "payments/pay-1423" {
		t.Errorf("subject %q", subject)
	}
}

// newReview is a question about the request, or about an operation of it.
func newReview(held *v1alpha1.HeldOperation) *v1alpha1.ApprovalReview {
	kind := v1alpha1.SubjectRequest
	if held != nil {
		kind = v1alpha1.SubjectStatement
	}
	return &v1alpha1.ApprovalReview{
		ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "pay-1423-0e5f", UID: "r-1", ResourceVersion: "1", CreationTimestamp: at(2)},
		Spec: v1alpha1.ApprovalReviewSpec{Question: v1alpha1.Question{
			Subject:   v1alpha1.Subject{Kind: kind, Request: v1alpha1.Bound{Name: "pay-1423", UID: "0e5f"}, Held: held},
			Requester: v1alpha1.Requester{Username: "alice"}, Task: v1alpha1.Task{ID: "PAY-1423"},
			Requirements: []v1alpha1.ReviewRequirement{{Name: "dba", Count: 1}}, ExpiresAt: at(600),
		}},
	}
}

func TestEachStepOfAReviewIsToldOnce(t *testing.T) {
	t.Parallel()
	held := &v1alpha1.HeldOperation{ID: "s-1/7", Point: v1alpha1.HoldAtStatement, Rule: "deletes", Kind: "delete", Text: "DELETE FROM orders WHERE id = $1"}
	decided := func(r *v1alpha1.ApprovalReview) *v1alpha1.ApprovalReview {
		r.Spec.Decisions = []v1alpha1.Decision{{Reviewer: "bob", Verdict: v1alpha1.VerdictApprove, Message: "go on"}}
		r.Status.Latched = []v1alpha1.LatchedDecision{{Reviewer: "bob", At: at(20), Verdict: v1alpha1.VerdictApprove, Counted: true, Seat: "dba"}}
		return r
	}
	over := func(r *v1alpha1.ApprovalReview, outcome v1alpha1.Outcome) *v1alpha1.ApprovalReview {
		r.Status.Outcome, r.Status.DecidedAt = outcome, new(at(21))
		return r
	}
	for name, c := range map[string]struct {
		old, now *v1alpha1.ApprovalReview
		want     []audit.Type
	}{
		"opened":              {nil, newReview(nil), []audit.Type{audit.ReviewOpened}},
		"decided":             {newReview(nil), decided(newReview(nil)), []audit.Type{audit.ReviewDecision}},
		"approved":            {decided(newReview(nil)), over(decided(newReview(nil)), v1alpha1.OutcomeApproved), []audit.Type{audit.ReviewApproved}},
		"denied":              {newReview(nil), over(newReview(nil), v1alpha1.OutcomeDenied), []audit.Type{audit.ReviewDenied}},
		"expired":             {newReview(nil), over(newReview(nil), v1alpha1.OutcomeExpired), []audit.Type{audit.ReviewExpired}},
		"withdrawn":           {newReview(nil), over(newReview(nil), v1alpha1.OutcomeWithdrawn), []audit.Type{audit.ReviewWithdrawn}},
		"operation held":      {nil, newReview(held), []audit.Type{audit.OperationHeld}},
		"operation approved":  {newReview(held), over(decided(newReview(held)), v1alpha1.OutcomeApproved), []audit.Type{audit.ReviewDecision, audit.OperationApproved}},
		"operation denied":    {newReview(held), over(newReview(held), v1alpha1.OutcomeDenied), []audit.Type{audit.OperationDenied}},
		"operation expired":   {newReview(held), over(newReview(held), v1alpha1.OutcomeExpired), []audit.Type{audit.OperationExpired}},
		"operation withdrawn": {newReview(held), over(newReview(held), v1alpha1.OutcomeWithdrawn), []audit.Type{audit.OperationWithdrawn}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events := Review(c.old, c.now)
			if diff := cmp.Diff(c.want, types(events)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, e := range events {
				if e.Subject != (audit.Subject{Namespace: "payments", Request: "pay-1423", UID: "0e5f"}) {
					t.Errorf("%s is about %v", e.Type, e.Subject)
				}
			}
		})
	}
}

func TestAPolicysHoldIsToldWhenItIsSetAndWhenItIsLifted(t *testing.T) {
	t.Parallel()
	policy := func(hold bool, version string) *v1alpha1.AccessPolicy {
		return &v1alpha1.AccessPolicy{
			ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "orders-fix", UID: "p-1", ResourceVersion: version},
			Spec:       v1alpha1.AccessPolicySpec{Recording: v1alpha1.RecordingPolicy{LegalHold: hold}},
		}
	}
	for name, c := range map[string]struct {
		old, now *v1alpha1.AccessPolicy
		want     []audit.Type
	}{
		"made without":  {nil, policy(false, "1"), []audit.Type{}},
		"made with":     {nil, policy(true, "1"), []audit.Type{audit.RecordingHoldSet}},
		"set":           {policy(false, "1"), policy(true, "2"), []audit.Type{audit.RecordingHoldSet}},
		"changed else":  {policy(true, "1"), policy(true, "2"), []audit.Type{}},
		"lifted":        {policy(true, "1"), policy(false, "2"), []audit.Type{audit.RecordingHoldCleared}},
		"never had one": {policy(false, "1"), policy(false, "2"), []audit.Type{}},
	} {
		if diff := cmp.Diff(c.want, types(Policy(c.old, c.now, seen))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestTheLedgerTellsOfRemovalsAndOfTheOwnersHolds(t *testing.T) {
	t.Parallel()
	entry := func(hold string, removed bool) *ledger.Entry {
		e := &ledger.Entry{UID: "0e5f", Namespace: "payments", Request: "pay-1423", Store: "volume", Hold: hold}
		if removed {
			e.RemovedAt = begun
		}
		return e
	}
	for name, c := range map[string]struct {
		old, now *ledger.Entry
		want     []audit.Type
	}{
		"made":                      {nil, entry("", false), []audit.Type{}},
		"held":                      {entry("", false), entry("case 7", false), []audit.Type{audit.RecordingHoldSet}},
		"hold lifted":               {entry("case 7", false), entry("", false), []audit.Type{audit.RecordingHoldCleared}},
		"removed":                   {entry("", false), entry("", true), []audit.Type{audit.RecordingRemoved}},
		"removed a while ago":       {entry("", true), entry("", true), []audit.Type{}},
		"seen for the first time":   {nil, entry("", true), []audit.Type{audit.RecordingRemoved}},
		"held before it was looked": {nil, entry("case 7", false), []audit.Type{audit.RecordingHoldSet}},
	} {
		if diff := cmp.Diff(c.want, types(Ledger(c.old, c.now, "2", seen))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
