package review

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// of is a review of a request; age in hours.
func of(name, request, task string, outcome v1alpha1.Outcome, age int) v1alpha1.ApprovalReview {
	return v1alpha1.ApprovalReview{
		ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(noon.Add(-time.Duration(age) * time.Hour))},
		Spec: v1alpha1.ApprovalReviewSpec{Question: v1alpha1.Question{
			Subject: v1alpha1.Subject{Request: v1alpha1.Bound{Name: request}}, Task: v1alpha1.Task{ID: task},
		}},
		Status: v1alpha1.ApprovalReviewStatus{Outcome: outcome},
	}
}

func TestANameMeansAReviewItsRequestOrItsTask(t *testing.T) {
	t.Parallel()
	const open = v1alpha1.Outcome("")
	reviews := []v1alpha1.ApprovalReview{
		of("fix-x1", "fix", "PAY-1", v1alpha1.OutcomeDenied, 9), of("fix-x2", "fix", "PAY-1", open, 1),
		of("old-x1", "old", "PAY-2", v1alpha1.OutcomeDenied, 9), of("old-x2", "old", "PAY-2", v1alpha1.OutcomeApproved, 3),
		of("a-x1", "a", "PAY-3", open, 1), of("b-x1", "b", "PAY-3", open, 1),
		// A request may be called as another's task is: its own name comes first.
		of("c-x1", "pay-1", "PAY-9", open, 1),
	}
	for name, test := range map[string]struct{ name, want, failure string }{
		"the review's own name":             {name: "fix-x1", want: "fix-x1"},
		"the request's: the open one":       {name: "fix", want: "fix-x2"},
		"the request's: else the newest":    {name: "old", want: "old-x2"},
		"the task's id":                     {name: "PAY-1", want: "fix-x2"},
		"the task's id in any case":         {name: "pay-2", want: "old-x2"},
		"a name before a task's id":         {name: "pay-1", want: "c-x1"},
		"a task with several open requests": {name: "PAY-3", failure: "several open reviews in namespace payments: name one of a-x1, b-x1"},
		"nothing":                           {name: "PAY-4", failure: "see kubectl approve -A"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, err := choose(reviews, "payments", test.name)
			if test.failure != "" {
				if err == nil || !strings.Contains(err.Error(), test.failure) {
					t.Errorf("error %v, want one that says %q", err, test.failure)
				}
				return
			}
			if err != nil || found.Name != test.want {
				t.Errorf("found %v, error %v; want %s", found, err, test.want)
			}
		})
	}
}

func TestWhatIsMissingIsTheManagersWordOnceItHasOne(t *testing.T) {
	t.Parallel()
	review := of("fix-x1", "fix", "PAY-1", "", 1)
	review.Spec.Question.Requirements = []v1alpha1.ReviewRequirement{{Name: "dba"}, {Name: "security", Count: 2}}
	if got := Needs(&review); got != "1 of dba, 2 of security" {
		t.Errorf("before the count: %q", got)
	}
	review.Status.ObservedGeneration, review.Status.Missing = 1, []string{"1 of security"}
	if got := Needs(&review); got != "1 of security" {
		t.Errorf("after the count: %q", got)
	}
}

func TestWhoMaySitSaysUsersGroupsAndTheTasksReviewer(t *testing.T) {
	t.Parallel()
	requirement := v1alpha1.ReviewRequirement{Users: []string{"alice"}, Groups: []string{"dba"}, FromTask: v1alpha1.FromTaskReviewer}
	if got := Who(requirement, v1alpha1.Task{Reviewer: "carol"}); got != "user alice or group dba or the task's reviewer carol" {
		t.Errorf("got %q", got)
	}
}

func TestAGrantIsSaidALineForEachSetOfPrivileges(t *testing.T) {
	t.Parallel()
	relation := func(schema, name string, privileges ...v1alpha1.RelationPrivilege) v1alpha1.RelationGrant {
		return v1alpha1.RelationGrant{Schema: schema, Name: name, Privileges: privileges}
	}
	got := Grant(v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{
		Database: "orders",
		Relations: []v1alpha1.RelationGrant{
			relation("public", "orders", v1alpha1.PrivilegeSelect, v1alpha1.PrivilegeUpdate),
			relation("public", "customers", v1alpha1.PrivilegeSelect),
			relation("", "items", v1alpha1.PrivilegeSelect),
		},
		Sequences: []string{"ids"}, Functions: []string{"total"},
	}})
	want := []string{
		"connect to database orders",
		"SELECT, UPDATE on public.orders",
		"SELECT on public.customers, public.items",
		"draw from sequence ids",
		"call function total",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"nothing"}, Grant(v1alpha1.Grant{})); diff != "" {
		t.Errorf("without a grant, -want +got:\n%s", diff)
	}
}

func TestTimesAreSaidAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[int32]string{45: "45s", 90: "1m30s", 1800: "30m", 3600: "1h", 5400: "1h30m", 3601: "1h0m1s"} {
		if got := Seconds(seconds); got != want {
			t.Errorf("%d seconds: %q, want %q", seconds, got, want)
		}
	}
	for left, want := range map[time.Duration]string{59 * time.Minute: "59m", 0: "expired", -time.Hour: "expired"} {
		if got := Left(noon.Add(left), noon); got != want {
			t.Errorf("%s left: %q, want %q", left, got, want)
		}
	}
}
