package manifest

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// ServiceAccount is the proxy's own identity; it has no rights at all.
func ServiceAccount(request *v1alpha1.TaskAccessRequest) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{ObjectMeta: meta(request), AutomountServiceAccountToken: new(false)}
}

// Role lets its holder reach this pod through the API server, and no other.
func Role(request *v1alpha1.TaskAccessRequest) *rbacv1.Role {
	pod := []string{Name(string(request.UID))}
	return &rbacv1.Role{
		ObjectMeta: meta(request),
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"pods"}, ResourceNames: pod, Verbs: []string{"get"}},
			// WebSocket port-forwards are a GET, SPDY ones a POST; both are authorised as create.
			{APIGroups: []string{""}, Resources: []string{"pods/portforward"}, ResourceNames: pod, Verbs: []string{"create"}},
		},
	}
}

// RoleBinding gives that role to the requester alone.
func RoleBinding(request *v1alpha1.TaskAccessRequest) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: meta(request),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: Name(string(request.UID))},
		Subjects: []rbacv1.Subject{{
			APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: request.Spec.Requester.Username,
		}},
	}
}
