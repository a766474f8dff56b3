package approval

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

var groups = []string{"dba", "sre", "lead", "sec"}

func subset(t *rapid.T, label string) []string {
	var out []string
	for _, g := range groups {
		if rapid.Bool().Draw(t, label+g) {
			out = append(out, g)
		}
	}
	return out
}

// drawQuestion asks for up to four requirements of up to three people each.
func drawQuestion(t *rapid.T) v1alpha1.Question {
	var requirements []v1alpha1.ReviewRequirement
	for i := range rapid.IntRange(1, 4).Draw(t, "requirements") {
		r := v1alpha1.ReviewRequirement{Name: fmt.Sprint("r", i), Groups: subset(t, fmt.Sprint("r", i)), Count: rapid.Int32Range(1, 3).Draw(t, "count")}
		if len(r.Groups) == 0 {
			r.Users = []string{"u0"}
		}
		if rapid.IntRange(0, 4).Draw(t, "fromTask") == 0 {
			r.FromTask, r.Count = v1alpha1.FromTaskReviewer, 1
		}
		requirements = append(requirements, r)
	}
	q := question(requirements...)
	q.Task.Reviewer = "u1"
	return q
}

// drawDecisions are of up to seven accounts, no two of them of one person; u-req
// is the requester's other account.
func drawDecisions(t *rapid.T, verdicts ...v1alpha1.Verdict) []v1alpha1.Decision {
	names := []string{"u0", "u1", "u2", "u3", "u4", "u5", "u-req"}
	var out []v1alpha1.Decision
	for _, name := range names {
		if rapid.Bool().Draw(t, name) {
			out = append(out, v1alpha1.Decision{Reviewer: name, Groups: subset(t, name), Verdict: rapid.SampledFrom(verdicts).Draw(t, "verdict")})
		}
	}
	return out
}

func drawInput(t *rapid.T, verdicts ...v1alpha1.Verdict) Input {
	in := ask(drawQuestion(t), drawDecisions(t, verdicts...)...)
	ids, err := NewIdentities(map[string][]string{"bob": {"u-req"}})
	if err != nil {
		t.Fatal(err)
	}
	in.Identities = ids
	return in
}

// fillable tries every way to seat people, one after the other.
func fillable(in Input) bool {
	var seats []v1alpha1.ReviewRequirement
	for _, r := range in.Question.Requirements {
		for range r.Count {
			seats = append(seats, r)
		}
	}
	may := func(r v1alpha1.ReviewRequirement, d v1alpha1.Decision) bool {
		if d.Reviewer == "u-req" || d.Verdict != v1alpha1.VerdictApprove {
			return false
		}
		byGroup := slices.ContainsFunc(d.Groups, func(g string) bool { return slices.Contains(r.Groups, g) })
		byTask := r.FromTask != "" && d.Reviewer == in.Question.Task.Reviewer && len(seats) > 1
		return byGroup || byTask || slices.Contains(r.Users, d.Reviewer)
	}
	used := map[string]bool{}
	var seat func(i int) bool
	seat = func(i int) bool {
		if i == len(seats) {
			return true
		}
		for _, d := range in.Decisions {
			if used[d.Reviewer] || !may(seats[i], d) {
				continue
			}
			used[d.Reviewer] = true
			if seat(i + 1) {
				return true
			}
			used[d.Reviewer] = false
		}
		return false
	}
	return seat(0)
}

func TestTheMatchingIsWhatBruteForceFinds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t, v1alpha1.VerdictApprove)
		if got, want := Count(in).Outcome == v1alpha1.OutcomeApproved, fillable(in); got != want {
			t.Fatalf("approved %t, brute force %t", got, want)
		}
	})
}

func TestTheOrderOfDecisionsDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t, v1alpha1.VerdictApprove, v1alpha1.VerdictApprove, v1alpha1.VerdictDeny)
		want := Count(in)
		in.Decisions = rapid.Permutation(in.Decisions).Draw(t, "order")
		if diff := cmp.Diff(want, Count(in)); diff != "" {
			t.Fatalf("another order, another count:\n%s", diff)
		}
	})
}

func TestOneMoreApprovalNeverUndoesAnApproval(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t, v1alpha1.VerdictApprove)
		before := Count(in)
		more := approve("u9", subset(t, "u9")...)
		in.Decisions, in.Authorised[more.Reviewer] = append(in.Decisions, more), Allowed
		if after := Count(in); before.Outcome == v1alpha1.OutcomeApproved && after.Outcome != before.Outcome {
			t.Fatalf("%s became %q", before.Outcome, after.Outcome)
		}
	})
}

func TestTheRequesterNeverCounts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t, v1alpha1.VerdictApprove, v1alpha1.VerdictDeny)
		with := Count(in)
		in.Decisions = slices.DeleteFunc(slices.Clone(in.Decisions), func(d v1alpha1.Decision) bool { return d.Reviewer == "u-req" })
		if without := Count(in); with.Outcome != without.Outcome || !cmp.Equal(with.Missing, without.Missing) {
			t.Fatalf("with the requester %q, without %q", with.Outcome, without.Outcome)
		}
	})
}

func TestADeadlineOnlyEverTakesAway(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t, v1alpha1.VerdictApprove, v1alpha1.VerdictDeny)
		in.Now = start.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "now")) * time.Second)
		at := func(seconds int) v1alpha1.Outcome {
			in.Question.ExpiresAt = metav1.NewTime(start.Add(time.Duration(seconds) * time.Second))
			return Count(in).Outcome
		}
		early := rapid.IntRange(0, 100).Draw(t, "early")
		late := rapid.IntRange(early, 100).Draw(t, "late")
		if a, b := at(early), at(late); a != v1alpha1.OutcomeExpired && a != b {
			t.Fatalf("%q with the earlier deadline, %q with the later", a, b)
		}
	})
}
