package review

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Needs says what a review still needs: "1 of dba, 1 of task-reviewer".
func Needs(r *v1alpha1.ApprovalReview) string {
	if r.Status.ObservedGeneration > 0 {
		return strings.Join(r.Status.Missing, ", ")
	}
	var needs []string
	for _, requirement := range r.Spec.Question.Requirements {
		needs = append(needs, fmt.Sprintf("%d of %s", max(requirement.Count, 1), requirement.Name))
	}
	return strings.Join(needs, ", ")
}

// Left says how long a deadline is away: "59m".
func Left(deadline, now time.Time) string {
	if !now.Before(deadline) {
		return "expired"
	}
	return duration.HumanDuration(deadline.Sub(now))
}

// Who says who may fill a requirement: "group dba", "user carol", "the task's
// reviewer carol".
func Who(r v1alpha1.ReviewRequirement, task v1alpha1.Task) string {
	var who []string
	for _, user := range r.Users {
		who = append(who, "user "+user)
	}
	for _, group := range r.Groups {
		who = append(who, "group "+group)
	}
	if r.FromTask == v1alpha1.FromTaskReviewer {
		who = append(who, strings.TrimSpace("the task's reviewer "+task.Reviewer))
	}
	return strings.Join(who, " or ")
}

// Grant says what a task would get, one line each.
func Grant(grant v1alpha1.Grant) []string {
	if grant.SSH != nil {
		return grantSSH(grant.SSH)
	}
	pg := grant.Postgres
	if pg == nil {
		return []string{"nothing"}
	}
	lines := []string{"connect to database " + pg.Database}
	// Relations with the same privileges share a line, in the order of the policy.
	var order []string
	relations := map[string][]string{}
	for _, r := range pg.Relations {
		privileges := make([]string, len(r.Privileges))
		for i, p := range r.Privileges {
			privileges[i] = string(p)
		}
		key := strings.Join(privileges, ", ")
		if relations[key] == nil {
			order = append(order, key)
		}
		schema := r.Schema
		if schema == "" {
			schema = "public"
		}
		relations[key] = append(relations[key], schema+"."+r.Name)
	}
	for _, key := range order {
		lines = append(lines, key+" on "+strings.Join(relations[key], ", "))
	}
	if len(pg.Sequences) > 0 {
		lines = append(lines, "draw from sequence "+strings.Join(pg.Sequences, ", "))
	}
	if len(pg.Functions) > 0 {
		lines = append(lines, "call function "+strings.Join(pg.Functions, ", "))
	}
	return lines
}
