// Package manifest builds every Kubernetes object that a task needs. It is pure:
// a request and the operator's settings in, objects out. Nothing that a requester
// writes reaches a name, a selector or a security field; all of it comes from the
// request's UID and the operator's own settings.
package manifest

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Name is the name of every object of a task: pod, service, service account,
// network policy, role and role binding alike.
func Name(uid string) string { return "tar-" + uid }

// Labels are on every object of a task.
func Labels(request *v1alpha1.TaskAccessRequest) map[string]string {
	return map[string]string{
		v1alpha1.LabelManagedBy:        "sallyport",
		v1alpha1.LabelComponent:        "proxy",
		v1alpha1.LabelRequestUID:       string(request.UID),
		v1alpha1.LabelRequestName:      request.Name,
		v1alpha1.LabelRequestNamespace: request.Namespace,
	}
}

func meta(request *v1alpha1.TaskAccessRequest) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:      Name(string(request.UID)),
		Namespace: v1alpha1.ProxyNamespace,
		Labels:    Labels(request),
	}
}
