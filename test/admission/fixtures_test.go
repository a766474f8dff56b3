package admission_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

func newRequest(namespace string) *v1alpha1.TaskAccessRequest {
	return &v1alpha1.TaskAccessRequest{
		ObjectMeta: metav1.ObjectMeta{Name: "pay-1423", Namespace: namespace},
		Spec: v1alpha1.TaskAccessRequestSpec{
			Task:            v1alpha1.Task{ID: "PAY-1423", Type: "data-fix", Reviewer: "carol"},
			Target:          "orders",
			Reason:          "wrong currency",
			DurationSeconds: 1800,
		},
	}
}

// openRequest is a request of bob's that the manager has taken on.
func (c *cluster) openRequest(t *testing.T, namespace string) *v1alpha1.TaskAccessRequest {
	t.Helper()
	return c.openRequestOf(t, namespace, bob)
}

func (c *cluster) openRequestOf(t *testing.T, namespace string, who rest.ImpersonationConfig) *v1alpha1.TaskAccessRequest {
	t.Helper()
	request := newRequest(namespace)
	request.Labels = map[string]string{"team": "payments"}
	request.Annotations = map[string]string{"note": "of the requester"}
	must(t, c.as(who).Create(testContext(t), request))
	must(t, jsonPatch(t, c.as(manager), request, `{"op":"add","path":"/metadata/finalizers","value":["access.sallyport.dev/teardown"]}`))
	return request
}

func newReview(namespace string, requester v1alpha1.Requester) *v1alpha1.ApprovalReview {
	bound := func(name string) v1alpha1.Bound {
		return v1alpha1.Bound{Name: name, UID: "uid-of-" + name, Digest: "v1:sha256:00"}
	}
	return &v1alpha1.ApprovalReview{
		ObjectMeta: metav1.ObjectMeta{Name: "pay-1423", Namespace: namespace, Labels: map[string]string{"of": "the-operator"}},
		Spec: v1alpha1.ApprovalReviewSpec{
			Question: v1alpha1.Question{
				Subject:         v1alpha1.Subject{Kind: v1alpha1.SubjectRequest, Request: bound("pay-1423")},
				Requester:       requester,
				Task:            v1alpha1.Task{ID: "PAY-1423", Type: "data-fix"},
				Reason:          "wrong currency",
				DurationSeconds: 1800,
				Policy:          bound("orders-fix"),
				Target:          bound("orders"),
				Grant:           v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{Database: "orders"}},
				ExpiresAt:       metav1.NewTime(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)),
			},
			Decisions: []v1alpha1.Decision{},
		},
	}
}

// openReview is a review of bob's request that the manager has opened.
func (c *cluster) openReview(t *testing.T, namespace string) *v1alpha1.ApprovalReview {
	t.Helper()
	review := newReview(namespace, v1alpha1.Requester{Username: bob.UserName, Groups: bob.Groups})
	must(t, c.as(manager).Create(testContext(t), review))
	return review
}

func newTarget(namespace string) *v1alpha1.AccessTarget {
	return &v1alpha1.AccessTarget{
		ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: namespace},
		Spec:       v1alpha1.AccessTargetSpec{Postgres: &v1alpha1.PostgresTarget{Host: "orders.db.example", Databases: []string{"orders"}}},
	}
}

func newPolicy(namespace string) *v1alpha1.AccessPolicy {
	return &v1alpha1.AccessPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "orders-fix", Namespace: namespace},
		Spec: v1alpha1.AccessPolicySpec{
			TaskTypes: []string{"data-fix"},
			Targets:   []string{"orders"},
			Grant:     v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{Database: "orders"}},
			Review:    v1alpha1.ReviewPolicy{Requirements: []v1alpha1.ReviewRequirement{{Name: "dba", Groups: []string{"dba"}}}},
		},
	}
}
