package manifest

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// RemovalComponent is the value of v1alpha1.LabelComponent on a removal's pod.
const RemovalComponent = "removal"

// RemovalName is the name of the pod that removes a task's recordings.
func RemovalName(uid string) string { return "removal-" + uid }

// Removal is the pod that empties one task's folder on the volume, and sees no other.
// It has no network, no token and no label of a task, which is over; it goes with its
// owner, the ledger's entry. What it removed is its termination message.
func Removal(uid string, owner metav1.OwnerReference, settings Settings) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: RemovalName(uid), Namespace: v1alpha1.ProxyNamespace,
			Labels:          map[string]string{v1alpha1.LabelManagedBy: "sallyport", v1alpha1.LabelComponent: RemovalComponent},
			OwnerReferences: []metav1.OwnerReference{owner},
		},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: new(false),
			EnableServiceLinks:           new(false),
			ActiveDeadlineSeconds:        new(removalSeconds),
			RestartPolicy:                corev1.RestartPolicyNever,
			DNSPolicy:                    corev1.DNSNone,
			DNSConfig:                    &corev1.PodDNSConfig{Nameservers: []string{"127.0.0.1"}},
			SecurityContext:              podSecurity(),
			Containers: []corev1.Container{{
				Name:            "removal",
				Image:           settings.Image,
				Args:            []string{"--remove-recordings=" + recordDirectory},
				Resources:       resources(),
				SecurityContext: containerSecurity(),
				VolumeMounts:    []corev1.VolumeMount{recordings(uid)},
			}},
			Volumes: []corev1.Volume{claim(settings)},
		},
	}
}

// removalSeconds bounds a removal: a task may have left hundreds of thousands of files.
const removalSeconds int64 = 1800
