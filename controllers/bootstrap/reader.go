package bootstrap

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/keys"
)

const (
	readerSecret = "sallyport-reader-tls"
	apiService   = "v1alpha1.subresources.access.sallyport.dev"
	readerEvery  = 10 * time.Minute
	// renewBefore leaves the reader time to read a renewed certificate.
	renewBefore = 30 * 24 * time.Hour
)

var apiServices = schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}

// Reader keeps the certificate of the recordings' reader valid, tells the API server who
// vouches for it, and publishes the keys that recordings are checked with.
type Reader struct {
	Clients kubernetes.Interface
	Dynamic dynamic.Interface
	Keys    *keys.Root
	Now     func() time.Time
	Log     logr.Logger
}

// NeedLeaderElection says that only the leader writes.
func (r *Reader) NeedLeaderElection() bool { return true }

// Start looks at once and then every ten minutes; a failure is tried again sooner.
func (r *Reader) Start(ctx context.Context) error {
	for {
		wait := readerEvery
		if err := r.ensure(ctx); err != nil && ctx.Err() == nil {
			r.Log.Error(err, "the reader of recordings is not ready; trying again")
			wait = 5 * time.Second
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

func (r *Reader) ensure(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := r.ensureCertificate(ctx); err != nil {
		return err
	}
	if err := r.ensureRecordingKey(ctx); err != nil {
		return err
	}
	return r.ensureTrust(ctx)
}

func (r *Reader) ensureCertificate(ctx context.Context) error {
	secrets := r.Clients.CoreV1().Secrets(v1alpha1.ProxyNamespace)
	secret, err := secrets.Get(ctx, readerSecret, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("read the reader's certificate: %w", err)
	}
	if err == nil && r.valid(secret) {
		return nil
	}
	certificate, key, signErr := r.Keys.ReaderCertificate(r.Now())
	if signErr != nil {
		return signErr
	}
	wanted := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: readerSecret, Namespace: v1alpha1.ProxyNamespace},
		Type:       corev1.SecretTypeTLS,
		Data:       map[string][]byte{corev1.TLSCertKey: certificate, corev1.TLSPrivateKeyKey: key, "ca.crt": r.Keys.CA()},
	}
	if apierrors.IsNotFound(err) {
		_, err = secrets.Create(ctx, wanted, metav1.CreateOptions{})
	} else {
		wanted.ResourceVersion = secret.ResourceVersion
		_, err = secrets.Update(ctx, wanted, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("store the reader's certificate: %w", err)
	}
	return nil
}

// valid says whether the certificate is the reader's and ours, its key beside it, and
// has a while to go.
func (r *Reader) valid(secret *corev1.Secret) bool {
	authority := x509.NewCertPool()
	if !bytes.Equal(secret.Data["ca.crt"], r.Keys.CA()) || !authority.AppendCertsFromPEM(r.Keys.CA()) {
		return false
	}
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return false
	}
	_, err = pair.Leaf.Verify(x509.VerifyOptions{
		DNSName: keys.ReaderName, Roots: authority, CurrentTime: r.Now().Add(renewBefore),
	})
	return err == nil
}

// ensureTrust puts the authority into the APIService, by which the API server knows
// the reader.
func (r *Reader) ensureTrust(ctx context.Context) error {
	service, err := r.Dynamic.Resource(apiServices).Get(ctx, apiService, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("read APIService %s: %w", apiService, err)
	}
	bundle := base64.StdEncoding.EncodeToString(r.Keys.CA())
	if current, _, _ := unstructured.NestedString(service.Object, "spec", "caBundle"); current == bundle {
		return nil
	}
	patch := fmt.Appendf(nil, `{"spec":{"caBundle":%q}}`, bundle)
	if _, err := r.Dynamic.Resource(apiServices).Patch(ctx, apiService, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("tell the API server who vouches for the reader: %w", err)
	}
	return nil
}
