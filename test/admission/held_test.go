package admission_test

import (
	"fmt"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
	"github.com/sallyport/sallyport/internal/control"
)

// newHeldReview is the review of an operation of bob's that is held.
func newHeldReview(namespace string) *v1alpha1.ApprovalReview {
	review := newReview(namespace, v1alpha1.Requester{Username: bob.UserName, Groups: bob.Groups})
	review.Name = "pay-1423-0123456789"
	review.Spec.Question.Subject.Kind = v1alpha1.SubjectStatement
	review.Spec.Question.Subject.Held = &v1alpha1.HeldOperation{
		ID: "0197-s/3", Point: v1alpha1.HoldAtStatement, Digest: strings.Repeat("ab", 32), Rule: "no-where", Kind: "update",
		Text: "UPDATE orders SET paid = true",
	}
	return review
}

func (c *cluster) openHeldReview(t *testing.T, namespace string) *v1alpha1.ApprovalReview {
	t.Helper()
	review := newHeldReview(namespace)
	must(t, c.as(manager).Create(testContext(t), review))
	return review
}

const withdraw = `{"op":"add","path":"/metadata/annotations","value":{"access.sallyport.dev/withdrawn":"2030-01-01T00:00:00Z"}}`

func TestREV6_AHeldOperationsReviewIsTheManagersToOpenWithdrawAndRemove(t *testing.T) {
	t.Parallel()
	c := start(t)
	const opens, marks, removes = "reviews are opened by the operator alone", "a review's labels and annotations are the operator's", "reviews go with their request"
	for name, test := range map[string]struct {
		who                    rest.ImpersonationConfig
		open, withdraw, remove string
	}{
		"the manager":                 {manager, "", "", ""},
		"the requester":               {bob, "cannot create", marks, "cannot delete"},
		"a reviewer":                  {alice, "cannot create", marks, "cannot delete"},
		"a namespace administrator":   {mallory, opens, marks, removes},
		"a cluster administrator":     {admin, opens, marks, removes},
		"another namespace's manager": {otherManager, opens, marks, removes},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			acting := c.as(test.who)
			apitest.Judge(t, acting.Create(testContext(t), newHeldReview(c.Namespace(t.Context(), t))), test.open)
			review := c.openHeldReview(t, c.Namespace(t.Context(), t))
			apitest.Judge(t, jsonPatch(t, acting, review.DeepCopy(), withdraw), test.withdraw)
			apitest.Judge(t, acting.Delete(testContext(t), review), test.remove)
		})
	}
}

func TestREV1_NobodyAnswersForTheirOwnHeldOperation(t *testing.T) {
	t.Parallel()
	c := start(t)
	for name, test := range map[string]struct {
		who  rest.ImpersonationConfig
		want string
	}{
		"the requester, who has the verb review": {bob, selfVoted},
		"a reviewer":                             {alice, ""},
		"without the verb":                       {erin, mayNot},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			acting := c.as(test.who)
			review := c.openHeldReview(t, c.Namespace(t.Context(), t))
			apitest.Judge(t, jsonPatch(t, acting, review, add(t, decision(t, acting))), test.want)
		})
	}
}

func TestREV6_NobodyChangesWhatAnApprovalReleases(t *testing.T) {
	t.Parallel()
	c := start(t)
	const (
		held   = "/spec/question/subject/held"
		digest = `{"op":"replace","path":"` + held + `/digest","value":"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"}`
		text   = `{"op":"replace","path":"` + held + `/text","value":"SELECT 1"}`
		until  = `{"op":"replace","path":"/spec/question/expiresAt","value":"2031-01-01T00:00:00Z"}`
	)
	for _, who := range []rest.ImpersonationConfig{manager, admin, alice} {
		for _, patch := range []string{digest, text, until} {
			review := c.openHeldReview(t, c.Namespace(t.Context(), t))
			apitest.Judge(t, jsonPatch(t, c.as(who), review, patch), "question is immutable")
		}
	}
}

// A statement and its values are other people's data: who may ask reads no reviews.
func TestREV6_WhoMayAskReadsNoReviews(t *testing.T) {
	t.Parallel()
	c := start(t)
	namespace := c.Namespace(t.Context(), t)
	ravi := rest.ImpersonationConfig{UserName: "ravi-" + namespace}
	must(t, c.Client.Create(testContext(t), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "requesters"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "sallyport-requester"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: ravi.UserName}},
	}))
	c.await(t, ravi.UserName, nil, "create", "taskaccessrequests", namespace, "")
	review := c.openHeldReview(t, namespace)
	acting := c.as(ravi)
	apitest.Judge(t, acting.Get(testContext(t), client.ObjectKeyFromObject(review), review.DeepCopy()), "cannot get")
	apitest.Judge(t, acting.List(testContext(t), &v1alpha1.ApprovalReviewList{}, client.InNamespace(namespace)), "cannot list")
	// What `kubectl auth can-i` asks.
	for _, verb := range []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"} {
		for _, resource := range []string{"approvalreviews", "approvalreviews/status"} {
			name, sub, _ := strings.Cut(resource, "/")
			ask := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Verb: verb, Group: v1alpha1.GroupName, Resource: name, Subresource: sub, Namespace: namespace,
				},
			}}
			must(t, acting.Create(testContext(t), ask))
			if ask.Status.Allowed {
				t.Errorf("a requester may %s %s", verb, resource)
			}
		}
	}
}

// The most that a proxy can put before reviewers stays within what the API server lets
// a policy cost.
func TestTheLargestHeldOperationIsStillJudged(t *testing.T) {
	t.Parallel()
	c := start(t)
	namespace := c.Namespace(t.Context(), t)
	review := newHeldReview(namespace)
	held := review.Spec.Question.Subject.Held
	held.Text = strings.Repeat("x", 8<<10)
	for i := range 128 {
		held.Values = append(held.Values, "'"+strings.Repeat("v", 60)+"'")
		held.Reads = append(held.Reads, fmt.Sprintf("public.%060d", i))
		held.Writes = append(held.Writes, fmt.Sprintf("public.%060d", i))
	}
	for i := range 64 {
		held.Effects = append(held.Effects, v1alpha1.RelationEffect{Relation: fmt.Sprintf("public.%060d", i), Updated: 1})
	}
	for range 5 {
		held.Effects[0].Images = append(held.Effects[0].Images, v1alpha1.RowImage{
			Before: strings.Repeat("b", 1200), After: strings.Repeat("a", 1200),
		})
	}
	encoded, err := control.EncodeHeld(*held)
	must(t, err)
	if len(encoded) < control.MaxHeld*3/4 {
		t.Fatalf("the question has %d bytes: not nearly the most", len(encoded))
	}
	must(t, c.as(manager).Create(testContext(t), review))
	for i := range 8 {
		acting := c.as(rest.ImpersonationConfig{UserName: fmt.Sprintf("reviewer-%d", i), Groups: []string{"dba"}})
		must(t, jsonPatch(t, acting, review, add(t, decision(t, acting))))
	}
	must(t, jsonPatch(t, c.as(manager), review, withdraw))
}
