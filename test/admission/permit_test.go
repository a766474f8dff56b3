package admission_test

import (
	"context"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// permit gives one person one verb in one namespace, and waits until the API server
// has taken note.
func (c *cluster) permit(t *testing.T, namespace string, who rest.ImpersonationConfig, verb, resource string, names ...string) {
	t.Helper()
	ctx := testContext(t)
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "permit-", Namespace: namespace},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{resource}, ResourceNames: names, Verbs: []string{verb}}},
	}
	must(t, c.Client.Create(ctx, role))
	must(t, c.Client.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name, Namespace: namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: who.UserName}},
	}))
	attributes := &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Group: v1alpha1.GroupName, Resource: resource}
	if len(names) > 0 {
		attributes.Name = names[0]
	}
	must(t, wait.PollUntilContextCancel(ctx, 20*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: who.UserName, ResourceAttributes: attributes}}
		err := c.Client.Create(ctx, review)
		return review.Status.Allowed, err
	}))
}
