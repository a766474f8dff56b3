package approval

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

var start = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

func dba(count int32) v1alpha1.ReviewRequirement {
	return v1alpha1.ReviewRequirement{Name: "dba", Groups: []string{"dba"}, Count: count}
}

func taskReviewer() v1alpha1.ReviewRequirement {
	return v1alpha1.ReviewRequirement{Name: "task-reviewer", FromTask: v1alpha1.FromTaskReviewer, Count: 1}
}

func question(requirements ...v1alpha1.ReviewRequirement) v1alpha1.Question {
	return v1alpha1.Question{
		Requester:    v1alpha1.Requester{Username: "bob", UID: "uid-bob", Groups: []string{"dba"}},
		Task:         v1alpha1.Task{ID: "PAY-1423", Type: "read", Reviewer: "carol"},
		Requirements: requirements,
		ExpiresAt:    metav1.NewTime(start.Add(time.Hour)),
	}
}

func approve(reviewer string, groups ...string) v1alpha1.Decision {
	return v1alpha1.Decision{Reviewer: reviewer, Groups: groups, Verdict: v1alpha1.VerdictApprove}
}

func deny(reviewer string, groups ...string) v1alpha1.Decision {
	return v1alpha1.Decision{Reviewer: reviewer, Groups: groups, Verdict: v1alpha1.VerdictDeny}
}

func withUID(d v1alpha1.Decision, uid string) v1alpha1.Decision {
	d.UID = uid
	return d
}

// ask is an input in which the authoriser allows everybody.
func ask(q v1alpha1.Question, decisions ...v1alpha1.Decision) Input {
	in := Input{Question: q, Decisions: decisions, Now: start, Authorised: map[string]Authorisation{}}
	for _, d := range decisions {
		in.Authorised[d.Reviewer] = Allowed
	}
	return in
}

func aliases(t *testing.T, table map[string][]string) Identities {
	t.Helper()
	ids, err := NewIdentities(table)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestCount(t *testing.T) {
	t.Parallel()
	sre := v1alpha1.ReviewRequirement{Name: "sre", Groups: []string{"sre"}, Count: 1}
	named := v1alpha1.ReviewRequirement{Name: "lead", Users: []string{"dave"}, Count: 1}
	tests := []struct {
		name    string
		in      Input
		want    v1alpha1.Outcome
		missing []string
	}{
		{"nobody has decided", ask(question(dba(1))), "", []string{"1 of dba"}},
		{"one of the group approves", ask(question(dba(1)), approve("alice", "dba")), v1alpha1.OutcomeApproved, nil},
		{"overshoot still approves", ask(question(dba(1)), approve("alice", "dba"), approve("erin", "dba"), approve("frank", "dba")), v1alpha1.OutcomeApproved, nil},
		{"a named user approves", ask(question(named), approve("dave")), v1alpha1.OutcomeApproved, nil},
		{"a user who is named in another case is another user", ask(question(named), approve("Dave")), "", []string{"1 of lead"}},
		{"an outsider fills nothing", ask(question(dba(1)), approve("mallory", "sales")), "", []string{"1 of dba"}},
		{"a count of zero is one seat", ask(question(dba(0)), approve("alice", "dba")), v1alpha1.OutcomeApproved, nil},
		{"two people of one group", ask(question(dba(2)), approve("alice", "dba")), "", []string{"1 of dba"}},
		{"one person in two groups fills one seat", ask(question(dba(1), sre), approve("alice", "dba", "sre")), "", []string{"1 of sre"}},
		{"the one who can sits elsewhere makes room", ask(question(dba(1), sre), approve("alice", "dba", "sre"), approve("erin", "dba")), v1alpha1.OutcomeApproved, nil},
		{"group and task's reviewer", ask(question(dba(1), taskReviewer()), approve("alice", "dba"), approve("carol")), v1alpha1.OutcomeApproved, nil},
		{"the task's reviewer in another case is that person", ask(question(dba(1), taskReviewer()), approve("alice", "dba"), approve("Carol ")), v1alpha1.OutcomeApproved, nil},
		{"the task's reviewer never suffices alone", ask(question(taskReviewer()), approve("carol")), "", []string{"1 of task-reviewer"}},
		{"one eligible deny ends it", ask(question(dba(1)), approve("alice", "dba"), deny("erin", "dba")), v1alpha1.OutcomeDenied, nil},
		{"a deny says what stayed empty", ask(question(dba(1)), deny("erin", "dba")), v1alpha1.OutcomeDenied, []string{"1 of dba"}},
		{"an outsider's deny does not", ask(question(dba(1)), approve("alice", "dba"), deny("mallory")), v1alpha1.OutcomeApproved, nil},
		{"the requester's deny does not", ask(question(dba(1)), approve("alice", "dba"), deny("bob", "dba")), v1alpha1.OutcomeApproved, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := Count(tt.in)
			if got.Outcome != tt.want || !cmp.Equal(got.Missing, tt.missing) {
				t.Errorf("got %q missing %q (%s), want %q missing %q", got.Outcome, got.Missing, got.Message, tt.want, tt.missing)
			}
		})
	}
}

func TestCountSaysOfEachDecisionWhetherItCounts(t *testing.T) {
	t.Parallel()
	in := ask(question(dba(1), taskReviewer()),
		approve("alice", "dba"), approve("ALICE", "dba"), approve("bob", "dba"), approve("erin", "dba"),
		approve("frank"), approve("gina", "dba"), approve("system:serviceaccount:ci:bot", "dba"))
	in.Authorised["gina"] = Refused
	at := metav1.NewTime(start)
	want := []v1alpha1.LatchedDecision{
		{Reviewer: "ALICE", At: at, Verdict: v1alpha1.VerdictApprove, Counted: true, Seat: "dba"},
		{Reviewer: "alice", At: at, Verdict: v1alpha1.VerdictApprove, Why: "the same person as ALICE: one human, one vote"},
		{Reviewer: "bob", At: at, Verdict: v1alpha1.VerdictApprove, Why: whyRequester},
		{Reviewer: "erin", At: at, Verdict: v1alpha1.VerdictApprove, Why: whyOvershoot},
		{Reviewer: "frank", At: at, Verdict: v1alpha1.VerdictApprove, Why: whyNoSeat},
		{Reviewer: "gina", At: at, Verdict: v1alpha1.VerdictApprove, Why: whyNotAllowed},
		{Reviewer: "system:serviceaccount:ci:bot", At: at, Verdict: v1alpha1.VerdictApprove, Why: whyNotPerson},
	}
	got := Count(in)
	if diff := cmp.Diff(want, got.Latched); diff != "" {
		t.Errorf("latched (-want +got):\n%s", diff)
	}
	if got.Message != "needs 1 of task-reviewer" {
		t.Errorf("message %q", got.Message)
	}
}

func TestALatchKeepsItsTimeAndADenialItsVerdict(t *testing.T) {
	t.Parallel()
	early := metav1.NewTime(start.Add(-time.Minute))
	in := ask(question(dba(2)), approve("alice", "dba"))
	in.Latched = []v1alpha1.LatchedDecision{{Reviewer: "alice", At: early, Verdict: v1alpha1.VerdictDeny, Counted: true, Seat: "dba"}}
	delete(in.Authorised, "alice")
	got := Count(in)
	if got.Outcome != v1alpha1.OutcomeDenied || !got.Latched[0].At.Equal(&early) {
		t.Errorf("got %+v", got)
	}
}

func TestAReviewerOnceRefusedStaysRefused(t *testing.T) {
	t.Parallel()
	in := ask(question(dba(1)), approve("alice", "dba"))
	in.Authorised["alice"] = Refused
	first := Count(in)
	in.Latched, in.Authorised["alice"] = first.Latched, Allowed
	if got := Count(in); got.Outcome != "" || got.Latched[0].Why != whyNotAllowed {
		t.Errorf("got %+v", got)
	}
}

func TestAUsernameOfTwoPeopleIsAnError(t *testing.T) {
	t.Parallel()
	_, err := NewIdentities(map[string][]string{"alice": {"root-user"}, "carol": {"Root-User"}})
	if err == nil {
		t.Fatal("no error")
	}
	if _, err := NewIdentities(map[string][]string{"alice": {" "}}); err == nil {
		t.Fatal("no error for an empty username")
	}
}

func TestWhoIsEligibleCouldFillASeat(t *testing.T) {
	t.Parallel()
	q := question(dba(1), taskReviewer())
	for _, tt := range []struct {
		d    v1alpha1.Decision
		want bool
	}{
		{approve("alice", "dba"), true}, {approve("carol"), true}, {approve("mallory"), false},
		{approve("bob", "dba"), false}, {approve("system:serviceaccount:ci:bot", "dba"), false},
	} {
		if got := Eligible(q, tt.d, Identities{}); got != tt.want {
			t.Errorf("%s: %t", tt.d.Reviewer, got)
		}
	}
}
