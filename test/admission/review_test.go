package admission_test

import (
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
)

func TestREV6_OnlyTheManagerOpensAReview(t *testing.T) {
	t.Parallel()
	c := start(t)
	const refused = "reviews are opened by the operator alone"
	for name, test := range map[string]struct {
		who  rest.ImpersonationConfig
		want string
	}{
		"the manager":                 {manager, ""},
		"a namespace administrator":   {mallory, refused},
		"a cluster administrator":     {admin, refused},
		"another namespace's manager": {otherManager, refused},
		"a reviewer":                  {alice, "cannot create"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			review := newReview(c.Namespace(t.Context(), t), v1alpha1.Requester{Username: "bob"})
			apitest.Judge(t, c.as(test.who).Create(testContext(t), review), test.want)
		})
	}
}

func TestREV6_AReviewIsOpenedWithoutDecisions(t *testing.T) {
	t.Parallel()
	c := start(t)
	review := newReview(c.Namespace(t.Context(), t), v1alpha1.Requester{Username: "bob"})
	review.Spec.Decisions = []v1alpha1.Decision{{Reviewer: "alice", Verdict: v1alpha1.VerdictApprove}}
	apitest.Judge(t, c.as(manager).Create(testContext(t), review), "a review is opened without decisions")
}

func TestREV6_AReviewGoesWithItsRequest(t *testing.T) {
	t.Parallel()
	c := start(t)
	const refused = "reviews go with their request"
	for name, test := range map[string]struct {
		who  rest.ImpersonationConfig
		want string
	}{
		"the manager deletes it":                     {manager, ""},
		"the garbage collector deletes it":           {collector, ""},
		"the namespace controller deletes it":        {namespaces, ""},
		"an unseparated controller manager, too":     {controllers, ""},
		"a namespace administrator does not":         {mallory, refused},
		"a cluster administrator does not":           {admin, refused},
		"a manager of another namespace does not":    {otherManager, refused},
		"a reviewer does not":                        {alice, "cannot delete"},
		"the requester does not, with all its verbs": {rest.ImpersonationConfig{UserName: "bob", Groups: []string{"system:masters"}}, refused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			review := c.openReview(t, c.Namespace(t.Context(), t))
			apitest.Judge(t, c.as(test.who).Delete(testContext(t), review), test.want)
		})
	}
}

func TestREV6_DeletingReviewsAsACollectionIsDeletingEach(t *testing.T) {
	t.Parallel()
	c := start(t)
	namespace := c.Namespace(t.Context(), t)
	review := c.openReview(t, namespace)
	all := func(who rest.ImpersonationConfig) error {
		return c.as(who).DeleteAllOf(testContext(t), &v1alpha1.ApprovalReview{}, client.InNamespace(namespace))
	}
	apitest.Judge(t, all(mallory), "reviews go with their request")
	apitest.Judge(t, all(admin), "reviews go with their request")
	must(t, c.Client.Get(testContext(t), client.ObjectKeyFromObject(review), review))
	apitest.Judge(t, all(namespaces), "")
}

func TestREV6_NobodyElseChangesAReview(t *testing.T) {
	t.Parallel()
	c := start(t)
	const (
		labels     = "a review's labels and annotations are the operator's"
		finalizers = "a review's finalizers are the operator's"
		owners     = "a review belongs to its request"
		question   = "question is immutable"
		addLabels  = `{"op":"add","path":"/metadata/labels/extra","value":"x"}`
		annotate   = `{"op":"add","path":"/metadata/annotations","value":{"extra":"x"}}`
		finalize   = `{"op":"add","path":"/metadata/finalizers","value":["example.dev/keep"]}`
		finalizeUs = `{"op":"add","path":"/metadata/finalizers","value":["access.sallyport.dev/teardown"]}`
		shorten    = `{"op":"replace","path":"/spec/question/durationSeconds","value":86400}`
		repolicy   = `{"op":"replace","path":"/spec/question/policy/name","value":"orders-read"}`
		require    = `{"op":"add","path":"/spec/question/requirements","value":[{"name":"mine","users":["alice"],"count":1}]}`
	)
	for name, test := range map[string]struct {
		who   rest.ImpersonationConfig
		patch string
		want  string
	}{
		"a reviewer does not label":                       {alice, addLabels, labels},
		"a reviewer does not annotate":                    {alice, annotate, labels},
		"a reviewer adds no finalizer":                    {alice, finalize, finalizers},
		"a reviewer adds no owner":                        {alice, addOwner, owners},
		"a reviewer does not change the question":         {alice, shorten, question},
		"a reviewer does not choose the policy":           {alice, repolicy, question},
		"a reviewer does not choose requirements":         {alice, require, question},
		"a cluster administrator does not label":          {admin, addLabels, labels},
		"a cluster administrator adds no owner":           {admin, addOwner, owners},
		"a cluster administrator leaves the question":     {admin, shorten, question},
		"the manager labels":                              {manager, addLabels, ""},
		"the manager adds a finalizer":                    {manager, finalize, ""},
		"the manager adds no owner":                       {manager, addOwner, owners},
		"the manager does not change the question either": {manager, shorten, question},
		"the garbage collector drops an owner":            {collector, addOwner, ""},
		"the garbage collector drops own finalizers":      {collector, finalize, ""},
		"the garbage collector leaves our finalizer":      {collector, finalizeUs, finalizers},
		"the garbage collector does not label":            {collector, addLabels, labels},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			review := c.openReview(t, c.Namespace(t.Context(), t))
			apitest.Judge(t, jsonPatch(t, c.as(test.who), review, test.patch), test.want)
		})
	}
}
