package apitest

import (
	"context"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/digest"
)

// Task is bob's request for PAY-1423 in a namespace of its own, with the open
// review of it, which asks for one of group dba.
type Task struct {
	Namespace string
	Target    *v1alpha1.AccessTarget
	Policy    *v1alpha1.AccessPolicy
	Request   *v1alpha1.TaskAccessRequest
	Review    *v1alpha1.ApprovalReview
}

// NewTask makes them; the review expires an hour from now.
func (s *Server) NewTask(ctx context.Context, t testing.TB, now time.Time) *Task {
	t.Helper()
	namespace := s.Namespace(ctx, t)
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }
	grant := v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{
		Database: "orders",
		Relations: []v1alpha1.RelationGrant{
			{Schema: "public", Name: "customers", Privileges: []v1alpha1.RelationPrivilege{v1alpha1.PrivilegeSelect}},
			{Schema: "public", Name: "orders", Privileges: []v1alpha1.RelationPrivilege{v1alpha1.PrivilegeSelect}},
		},
	}}
	requirements := []v1alpha1.ReviewRequirement{{Name: "dba", Groups: []string{"dba"}, Count: 1}}
	task := &Task{
		Namespace: namespace,
		Target: &v1alpha1.AccessTarget{ObjectMeta: named("orders"), Spec: v1alpha1.AccessTargetSpec{
			Postgres: &v1alpha1.PostgresTarget{
				Host: "db.example.org", Port: 5432, Databases: []string{"orders"}, TLS: v1alpha1.PostgresTLS{Mode: v1alpha1.PostgresTLSDisable},
			},
		}},
		Policy: &v1alpha1.AccessPolicy{ObjectMeta: named("orders-read"), Spec: v1alpha1.AccessPolicySpec{
			TaskTypes: []string{"read"}, Targets: []string{"orders"}, Grant: grant,
			Rules: []v1alpha1.Rule{{
				Name: "no-ddl", When: `action.kind.startsWith("drop")`, Effect: v1alpha1.EffectDeny, Message: "ask the platform team",
			}},
			Review: v1alpha1.ReviewPolicy{Requirements: requirements},
		}},
		Request: &v1alpha1.TaskAccessRequest{ObjectMeta: named("pay-1423"), Spec: v1alpha1.TaskAccessRequestSpec{
			Requester: v1alpha1.Requester{Username: "bob", Groups: []string{"engineering"}},
			Task:      v1alpha1.Task{ID: "PAY-1423", Type: "read", URL: "https://tracker.example.org/PAY-1423"},
			Target:    "orders", Reason: "look at one order", DurationSeconds: 1800,
		}},
	}
	for _, object := range []client.Object{task.Target, task.Policy, task.Request} {
		s.create(ctx, t, object)
	}
	task.Review = &v1alpha1.ApprovalReview{ObjectMeta: named("pay-1423"), Spec: v1alpha1.ApprovalReviewSpec{
		Question: v1alpha1.Question{
			Subject:   v1alpha1.Subject{Kind: v1alpha1.SubjectRequest, Request: digest.BindRequest(task.Request)},
			Requester: task.Request.Spec.Requester, Task: task.Request.Spec.Task,
			Reason: task.Request.Spec.Reason, DurationSeconds: task.Request.Spec.DurationSeconds,
			Policy: digest.BindPolicy(task.Policy), Target: digest.BindTarget(task.Target), Grant: grant,
			Requirements: requirements, ExpiresAt: metav1.NewTime(now.Add(time.Hour)),
		},
		Decisions: []v1alpha1.Decision{},
	}}
	s.create(ctx, t, task.Review)
	return task
}

// Allow gives a user verbs on a resource of this group; no names means all.
func (s *Server) Allow(ctx context.Context, t testing.TB, namespace, user string, resource string, verbs []string, names ...string) {
	t.Helper()
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: user + "-"},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{v1alpha1.GroupName}, Resources: []string{resource}, ResourceNames: names, Verbs: verbs,
		}},
	}
	s.create(ctx, t, role)
	s.create(ctx, t, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	})
	s.awaitAllowed(ctx, t, authorizationv1.SubjectAccessReviewSpec{User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{
		Namespace: namespace, Group: v1alpha1.GroupName, Resource: resource, Verb: verbs[0], Name: strings.Join(names[:min(1, len(names))], ""),
	}})
}

// awaitAllowed waits until the API server's authoriser has heard of a role: it watches them.
func (s *Server) awaitAllowed(ctx context.Context, t testing.TB, spec authorizationv1.SubjectAccessReviewSpec) {
	t.Helper()
	if resource, subresource, found := strings.Cut(spec.ResourceAttributes.Resource, "/"); found {
		spec.ResourceAttributes.Resource, spec.ResourceAttributes.Subresource = resource, subresource
	}
	err := wait.PollUntilContextTimeout(ctx, 5*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		review := &authorizationv1.SubjectAccessReview{Spec: spec}
		err := s.Client.Create(ctx, review)
		return review.Status.Allowed, err
	})
	if err != nil {
		t.Fatalf("%s may still not %s %s: %v", spec.User, spec.ResourceAttributes.Verb, spec.ResourceAttributes.Resource, err)
	}
}

func (s *Server) create(ctx context.Context, t testing.TB, object client.Object) {
	t.Helper()
	if err := s.Client.Create(ctx, object); err != nil {
		t.Fatalf("create %T: %v", object, err)
	}
}
