package admission_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
)

// decision is the caller's own, as `kubectl approve` writes it.
func decision(t *testing.T, acting client.Client) v1alpha1.Decision {
	t.Helper()
	me := whoami(t, acting)
	return v1alpha1.Decision{Reviewer: me.Username, UID: me.UID, Groups: me.Groups, Verdict: v1alpha1.VerdictApprove, Message: "looks right"}
}

func add(t *testing.T, decision v1alpha1.Decision) string {
	t.Helper()
	return fmt.Sprintf(`{"op":"add","path":"/spec/decisions/-","value":%s}`, encode(t, decision))
}

const (
	notOwn    = "a decision is your own"
	mayNot    = "you may not review under this policy: RBAC gives you no verb review on accesspolicy/orders-fix"
	exactly   = "add exactly one decision, your own, and change no other"
	selfVoted = "you asked for this access yourself, and nobody reviews their own request"
)

func TestREV6_ADecisionIsTheReviewersOwn(t *testing.T) {
	t.Parallel()
	c := start(t)
	for name, test := range map[string]struct {
		who    rest.ImpersonationConfig
		change func(*v1alpha1.Decision)
		want   string
	}{
		"approved by a reviewer":           {alice, func(*v1alpha1.Decision) {}, ""},
		"denied by a reviewer":             {alice, func(d *v1alpha1.Decision) { d.Verdict = v1alpha1.VerdictDeny }, ""},
		"by a reviewer who has a uid":      {carol, func(*v1alpha1.Decision) {}, ""},
		"by a cluster administrator":       {admin, func(*v1alpha1.Decision) {}, ""},
		"in another's name":                {alice, func(d *v1alpha1.Decision) { d.Reviewer = "carol" }, notOwn},
		"in another's name by an admin":    {admin, func(d *v1alpha1.Decision) { d.Reviewer = "carol" }, notOwn},
		"in the requester's name":          {alice, func(d *v1alpha1.Decision) { d.Reviewer = "bob" }, notOwn},
		"with a uid that one has not":      {alice, func(d *v1alpha1.Decision) { d.UID = "uid-of-carol" }, notOwn},
		"with another uid":                 {carol, func(d *v1alpha1.Decision) { d.UID = "uid-of-alice" }, notOwn},
		"without the uid that one has":     {carol, func(d *v1alpha1.Decision) { d.UID = "" }, notOwn},
		"with a group more":                {alice, func(d *v1alpha1.Decision) { d.Groups = append(d.Groups, "security") }, notOwn},
		"with a group less":                {alice, func(d *v1alpha1.Decision) { d.Groups = d.Groups[1:] }, notOwn},
		"with no groups":                   {alice, func(d *v1alpha1.Decision) { d.Groups = nil }, notOwn},
		"with an unknown verdict":          {alice, func(d *v1alpha1.Decision) { d.Verdict = "Perhaps" }, "Unsupported value"},
		"with the role but not the verb":   {erin, func(*v1alpha1.Decision) {}, mayNot},
		"by an administrator of namespace": {mallory, func(*v1alpha1.Decision) {}, mayNot},
		"by the manager":                   {manager, func(*v1alpha1.Decision) {}, mayNot},
		"with neither":                     {dave, func(*v1alpha1.Decision) {}, "cannot patch"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			review := c.openReview(t, c.Namespace(t.Context(), t))
			acting := c.as(test.who)
			mine := decision(t, acting)
			test.change(&mine)
			apitest.Judge(t, jsonPatch(t, acting, review, add(t, mine)), test.want)
			if test.want == "" {
				if diff := cmp.Diff([]v1alpha1.Decision{mine}, review.Spec.Decisions); diff != "" {
					t.Errorf("decisions (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestREV1_NobodyReviewsTheirOwnRequest(t *testing.T) {
	t.Parallel()
	c := start(t)
	asAdministrator := rest.ImpersonationConfig{UserName: "bob", Groups: []string{"system:masters"}}
	otherName := rest.ImpersonationConfig{UserName: "carol@example.com", UID: carol.UID, Groups: []string{"dba"}}
	for name, test := range map[string]struct {
		requester v1alpha1.Requester
		who       rest.ImpersonationConfig
		want      string
	}{
		"the requester, who has the verb review":    {v1alpha1.Requester{Username: "bob"}, bob, selfVoted},
		"the requester, now as an administrator":    {v1alpha1.Requester{Username: "bob"}, asAdministrator, selfVoted},
		"an administrator's own request":            {v1alpha1.Requester{Username: "admin"}, admin, selfVoted},
		"the requester with another uid":            {v1alpha1.Requester{Username: "carol", UID: "uid-of-an-earlier-one"}, carol, selfVoted},
		"the requester under another name, one uid": {v1alpha1.Requester{Username: "carol", UID: carol.UID}, otherName, selfVoted},
		"somebody else without uid":                 {v1alpha1.Requester{Username: "carol", UID: carol.UID}, alice, ""},
		"somebody else with another uid":            {v1alpha1.Requester{Username: "ben", UID: "uid-of-ben"}, carol, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			review := newReview(c.Namespace(t.Context(), t), test.requester)
			must(t, c.as(manager).Create(testContext(t), review))
			acting := c.as(test.who)
			apitest.Judge(t, jsonPatch(t, acting, review, add(t, decision(t, acting))), test.want)
		})
	}
}

// The refusal comes before the look at name and verdict, so that it is what one reads.
func TestREV1_ASelfVoteInAnothersNameIsStillASelfVote(t *testing.T) {
	t.Parallel()
	c := start(t)
	review := c.openReview(t, c.Namespace(t.Context(), t))
	acting := c.as(bob)
	mine := decision(t, acting)
	mine.Reviewer = "alice"
	apitest.Judge(t, jsonPatch(t, acting, review, add(t, mine)), selfVoted)
}

func TestREV1_EachReviewerDecidesOnce(t *testing.T) {
	t.Parallel()
	c := start(t)
	review := c.openReview(t, c.Namespace(t.Context(), t))
	acting := c.as(alice)
	mine := decision(t, acting)
	must(t, jsonPatch(t, acting, review, add(t, mine)))

	apitest.Judge(t, jsonPatch(t, acting, review.DeepCopy(), add(t, mine)), "Duplicate value")
	deny := `{"op":"replace","path":"/spec/decisions/0/verdict","value":"Deny"}`
	apitest.Judge(t, jsonPatch(t, acting, review.DeepCopy(), deny), "decisions are final")
	takeBack := `{"op":"remove","path":"/spec/decisions/0"}`
	apitest.Judge(t, jsonPatch(t, acting, review.DeepCopy(), takeBack), "decisions are final")
	apitest.Judge(t, jsonPatch(t, c.as(admin), review.DeepCopy(), takeBack), "decisions are final")
	apitest.Judge(t, jsonPatch(t, c.as(manager), review.DeepCopy(), `{"op":"replace","path":"/spec/decisions","value":[]}`), "decisions are final")
}

func TestREV1_OneChangeAddsOneDecision(t *testing.T) {
	t.Parallel()
	c := start(t)
	acting := c.as(alice)
	mine := decision(t, acting)
	another := mine
	another.Reviewer = "carol"

	t.Run("two at once are refused", func(t *testing.T) {
		review := c.openReview(t, c.Namespace(t.Context(), t))
		apitest.Judge(t, jsonPatch(t, acting, review, add(t, mine), add(t, another)), exactly)
	})
	t.Run("a reordering is refused", func(t *testing.T) {
		review := c.openReview(t, c.Namespace(t.Context(), t))
		must(t, jsonPatch(t, acting, review, add(t, mine)))
		second := c.as(carol)
		must(t, jsonPatch(t, second, review, add(t, decision(t, second))))
		apitest.Judge(t, jsonPatch(t, acting, review, `{"op":"move","from":"/spec/decisions/1","path":"/spec/decisions/0"}`), exactly)
	})
	t.Run("a label beside it is refused", func(t *testing.T) {
		review := c.openReview(t, c.Namespace(t.Context(), t))
		apitest.Judge(t, jsonPatch(t, acting, review, add(t, mine), addLabel), "a review's labels and annotations are the operator's")
	})
}

func TestREV1_ReviewersWhoRaceBothLand(t *testing.T) {
	t.Parallel()
	c := start(t)
	review := c.openReview(t, c.Namespace(t.Context(), t))
	const reviewers = 8
	failures := make([]error, reviewers)
	patches := make([]string, reviewers)
	clients := make([]client.Client, reviewers)
	for i := range reviewers {
		clients[i] = c.as(rest.ImpersonationConfig{UserName: fmt.Sprintf("reviewer-%d", i), Groups: []string{"dba"}})
		patches[i] = add(t, decision(t, clients[i]))
	}
	var group sync.WaitGroup
	for i := range reviewers {
		mine := review.DeepCopy()
		group.Go(func() { failures[i] = jsonPatch(t, clients[i], mine, patches[i]) })
	}
	group.Wait()
	for _, err := range failures {
		must(t, err)
	}
	must(t, c.Client.Get(testContext(t), client.ObjectKeyFromObject(review), review))
	if got := len(review.Spec.Decisions); got != reviewers {
		t.Errorf("%d decisions landed, want %d", got, reviewers)
	}
}

func TestREV2_ADecidedReviewTakesNoMoreDecisions(t *testing.T) {
	t.Parallel()
	c := start(t)
	for _, outcome := range []v1alpha1.Outcome{
		v1alpha1.OutcomeApproved, v1alpha1.OutcomeDenied, v1alpha1.OutcomeExpired, v1alpha1.OutcomeWithdrawn,
	} {
		t.Run(string(outcome), func(t *testing.T) {
			t.Parallel()
			review := c.openReview(t, c.Namespace(t.Context(), t))
			review.Status.Outcome = outcome
			review.Status.DecidedAt = &metav1.Time{Time: review.CreationTimestamp.Time}
			must(t, c.as(manager).Status().Update(testContext(t), review))
			acting := c.as(alice)
			apitest.Judge(t, jsonPatch(t, acting, review.DeepCopy(), add(t, decision(t, acting))), "this review is over: "+string(outcome))
			undo := review.DeepCopy()
			undo.Status.Outcome = ""
			apitest.Judge(t, c.as(manager).Status().Update(testContext(t), undo), "an outcome is terminal")
		})
	}
}

// The verb is asked for on the policy that the question names, where the question is.
func TestREV6_TheVerbReviewIsThePolicysAndTheNamespaces(t *testing.T) {
	t.Parallel()
	c := start(t)
	here, there := c.Namespace(t.Context(), t), c.Namespace(t.Context(), t)
	heidi := rest.ImpersonationConfig{UserName: "heidi"}
	c.permit(t, here, heidi, "patch", "approvalreviews")
	c.permit(t, there, heidi, "patch", "approvalreviews")
	c.permit(t, here, heidi, "review", "accesspolicies", "orders-fix")
	acting := c.as(heidi)

	apitest.Judge(t, jsonPatch(t, acting, c.openReview(t, there), add(t, decision(t, acting))), "in namespace "+there)
	other := newReview(here, v1alpha1.Requester{Username: "bob"})
	other.Name, other.Spec.Question.Policy.Name = "other", "orders-read"
	must(t, c.as(manager).Create(testContext(t), other))
	apitest.Judge(t, jsonPatch(t, acting, other, add(t, decision(t, acting))), "no verb review on accesspolicy/orders-read")
	apitest.Judge(t, jsonPatch(t, acting, c.openReview(t, here), add(t, decision(t, acting))), "")
}

// The worst that the schema allows stays within what the API server lets a policy cost.
func TestAFullReviewIsStillJudged(t *testing.T) {
	t.Parallel()
	c := start(t)
	review := c.openReview(t, c.Namespace(t.Context(), t))
	groups := []string{"dba"}
	for i := range 30 {
		groups = append(groups, fmt.Sprintf("%03d-%s", i, strings.Repeat("g", 200)))
	}
	for i := range 64 {
		acting := c.as(rest.ImpersonationConfig{UserName: fmt.Sprintf("reviewer-%d", i), Groups: groups})
		must(t, jsonPatch(t, acting, review, add(t, decision(t, acting))))
	}
	acting := c.as(alice)
	apitest.Judge(t, jsonPatch(t, acting, review, add(t, decision(t, acting))), "must have at most 64 items")
}
