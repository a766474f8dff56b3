package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
)

var validVolume = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func volumeVerb(ctx context.Context, c layout.Cluster, args []string) error {
	if len(args) != 2 || !validVolume.MatchString(args[0]) {
		return errors.New("volume: want a name and a size, such as: volume recordings 1Gi")
	}
	if _, err := c.Running(); err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	return makeVolume(ctx, client, c, args[0], args[1])
}

func hasVolume(ctx context.Context, client kubernetes.Interface, name string) (bool, error) {
	_, err := client.CoreV1().PersistentVolumes().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// makeVolume makes a PersistentVolume on an empty folder. It is of kind "local",
// for which the kubelet honours fsGroup; for hostPath it does not. It has no
// storage class, as a claim on a cluster without a default class.
func makeVolume(ctx context.Context, client kubernetes.Interface, c layout.Cluster, name, size string) error {
	quantity, err := resource.ParseQuantity(size)
	if err != nil {
		return fmt.Errorf("volume size %q: %w", size, err)
	}
	if err := removeVolume(ctx, client, c, name); err != nil {
		return err
	}
	if err := os.MkdirAll(c.Volume(name), 0o755); err != nil {
		return err
	}
	onNode := corev1.NodeSelectorRequirement{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{c.Node()}}
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: quantity},
			AccessModes:                   []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce, corev1.ReadWriteMany, corev1.ReadOnlyMany},
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				Local: &corev1.LocalVolumeSource{Path: filepath.Join(layout.VolumesInside, name)},
			},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{onNode}}},
			}},
		},
	}
	_, err = client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{})
	return err
}

// removeVolume removes an older volume of that name with what is on it. One that
// a claim still holds is not removed: Kubernetes protects it.
func removeVolume(ctx context.Context, client kubernetes.Interface, c layout.Cluster, name string) error {
	volumes := client.CoreV1().PersistentVolumes()
	old, err := volumes.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if claim := old.Spec.ClaimRef; claim != nil && old.Status.Phase == corev1.VolumeBound {
		return fmt.Errorf("volume %s is in use by claim %s/%s", name, claim.Namespace, claim.Name)
	}
	if err := volumes.Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	gone := func(ctx context.Context) error {
		has, err := hasVolume(ctx, client, name)
		if err == nil && has {
			err = fmt.Errorf("volume %s is still there", name)
		}
		return err
	}
	if err := until(ctx, 30*time.Second, gone, nil); err != nil {
		return err
	}
	return os.RemoveAll(c.Volume(name))
}
