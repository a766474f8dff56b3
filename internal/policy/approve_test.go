package policy_test

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

var request = v1alpha1.TaskAccessRequestSpec{
	Requester:       v1alpha1.Requester{Username: "bob", Groups: []string{"engineering", "on-call"}},
	Task:            v1alpha1.Task{ID: "PAY-1423", Type: "read", Reviewer: "carol"},
	Target:          "orders",
	Reason:          "checking a refund",
	DurationSeconds: 900,
}

func TestAutoApprove(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]bool{
		``:      false,
		`true`:  true,
		`false`: false,
		`"on-call" in request.groups && request.durationSeconds <= 900`:                                               true,
		`"on-call" in task.groups && request.durationSeconds <= 600`:                                                  false,
		`request.requester == "bob" && request.name == "pay-1423" && request.namespace == "shop"`:                     true,
		`request.target == "orders" && request.policy == "" && request.reason.startsWith("check")`:                    true,
		`task.id == "PAY-1423" && task.type == "read" && task.reviewer == "carol" && task.requester != "carol"`:       true,
		`task.request == "pay-1423" && task.namespace == "shop" && task.target == "orders" && task.url.matches("^$")`: true,
		`request.groups.exists(g, g == "admins") || task.groups.all(g, g.startsWith("o"))`:                            false,
	} {
		t.Run(expression, func(t *testing.T) {
			t.Parallel()
			s := spec()
			s.Review.AutoApprove = expression
			got, err := mustCompile(t, s).AutoApprove("shop", "pay-1423", request)
			if err != nil || got != want {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestREV4_AnAutoApprovalThatFailsDoesNotApprove(t *testing.T) {
	t.Parallel()
	s := spec()
	s.Review.AutoApprove = `request.groups[9] == "x" || true`
	got, err := mustCompile(t, s).AutoApprove("shop", "pay-1423", request)
	if err != nil || !got {
		t.Errorf("true on one side of || decides: %v, %v", got, err)
	}
	s.Review.AutoApprove = `request.groups[9] != "x"`
	got, err = mustCompile(t, s).AutoApprove("shop", "pay-1423", request)
	if err == nil || got {
		t.Errorf("approved: %v, %v", got, err)
	}
	if err != nil && !strings.Contains(err.Error(), "review.autoApprove") {
		t.Errorf("error %q does not say where", err)
	}
}
