package bootstrap

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/record"
)

// ensureRecordingKey publishes the public key that recordings are signed with, under
// its identifier. Earlier keys stay: their recordings are there still.
func (r *Reader) ensureRecordingKey(ctx context.Context) error {
	pem, err := r.Keys.RecordingPublic()
	if err != nil {
		return err
	}
	public, ok := r.Keys.RecordingKey().Public().(ed25519.PublicKey)
	if !ok {
		return errors.New("the recording key is no Ed25519 key")
	}
	name := record.KeyID(public) + ".pem"
	configs := r.Clients.CoreV1().ConfigMaps(v1alpha1.ProxyNamespace)
	config, err := configs.Get(ctx, v1alpha1.RecordingKeysConfigMap, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		_, err = configs.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.RecordingKeysConfigMap, Namespace: v1alpha1.ProxyNamespace},
			Data:       map[string]string{name: string(pem)},
		}, metav1.CreateOptions{})
	case err == nil && config.Data[name] != string(pem):
		if config.Data == nil {
			config.Data = map[string]string{}
		}
		config.Data[name] = string(pem)
		_, err = configs.Update(ctx, config, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("publish the key that recordings are checked with: %w", err)
	}
	return nil
}
