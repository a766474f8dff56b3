package server

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// PodResolver is a Resolver that reads the proxies' pods; a cache will do, for only
// the operator can make pods there, and a pod's labels are not changed.
type PodResolver struct {
	Pods client.Reader
}

// Resolve implements Resolver. A pod that is being deleted still serves: its last
// report is wanted.
func (r PodResolver) Resolve(ctx context.Context, pod Pod) (string, error) {
	var live corev1.Pod
	err := r.Pods.Get(ctx, types.NamespacedName{Namespace: v1alpha1.ProxyNamespace, Name: pod.Name}, &live)
	if apierrors.IsNotFound(err) {
		return "", ErrUnknownPod
	}
	if err != nil {
		return "", fmt.Errorf("get pod %s: %w", pod.Name, err)
	}
	if string(live.UID) != pod.UID || live.Spec.ServiceAccountName != pod.ServiceAccount ||
		live.Labels[v1alpha1.LabelComponent] != "proxy" || live.Labels[v1alpha1.LabelRequestUID] == "" {
		return "", ErrUnknownPod
	}
	return live.Labels[v1alpha1.LabelRequestUID], nil
}
