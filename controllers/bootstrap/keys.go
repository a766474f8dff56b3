// Package bootstrap readies what the manager itself stands on: the root keys, the
// addresses that proxies are told, and the reader's certificate.
package bootstrap

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/keys"
)

// KeysSecret holds the root keys, in the operator's namespace.
const KeysSecret = "sallyport-root-keys"

// RootKeys reads the root keys, or makes them on the first start. Replicas that start
// together agree: one creates the Secret, the others read it.
func RootKeys(ctx context.Context, clients kubernetes.Interface, now time.Time) (*keys.Root, error) {
	secrets := clients.CoreV1().Secrets(v1alpha1.OperatorNamespace)
	secret, err := secrets.Get(ctx, KeysSecret, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		root, err := keys.Generate(now)
		if err != nil {
			return nil, err
		}
		data, err := root.Data()
		if err != nil {
			return nil, err
		}
		_, err = secrets.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: KeysSecret, Namespace: v1alpha1.OperatorNamespace},
			Type:       "access.sallyport.dev/root-keys",
			Data:       data,
		}, metav1.CreateOptions{})
		if err == nil {
			return root, nil
		}
		if !apierrors.IsAlreadyExists(err) {
			return nil, fmt.Errorf("store the root keys: %w", err)
		}
		secret, err = secrets.Get(ctx, KeysSecret, metav1.GetOptions{})
		if err != nil {
			return nil, fmt.Errorf("read the root keys: %w", err)
		}
		return keys.Parse(secret.Data)
	}
	if err != nil {
		return nil, fmt.Errorf("read the root keys: %w", err)
	}
	return keys.Parse(secret.Data)
}
