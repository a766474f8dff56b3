package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control/server"
)

func TestAPodIsResolvedByNameUIDAndAccountTogether(t *testing.T) {
	t.Parallel()
	pod := func(name, namespace, component string) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Name: name, Namespace: namespace, UID: "u-1",
				Labels: map[string]string{v1alpha1.LabelComponent: component, v1alpha1.LabelRequestUID: mine},
			},
			Spec: corev1.PodSpec{ServiceAccountName: "tar-1"},
		}
	}
	resolver := server.PodResolver{Pods: fake.NewClientBuilder().WithObjects(
		pod("proxy", v1alpha1.ProxyNamespace, "proxy"),
		pod("reader", v1alpha1.ProxyNamespace, "reader"),
		pod("elsewhere", "default", "proxy"),
	).Build()}
	good := server.Pod{Name: "proxy", UID: "u-1", ServiceAccount: "tar-1"}
	if got, err := resolver.Resolve(context.Background(), good); err != nil || got != mine {
		t.Fatalf("%s, %v", got, err)
	}
	for name, pod := range map[string]server.Pod{
		"no such pod":          {Name: "none", UID: "u-1", ServiceAccount: "tar-1"},
		"an earlier pod":       {Name: "proxy", UID: "u-0", ServiceAccount: "tar-1"},
		"another account":      {Name: "proxy", UID: "u-1", ServiceAccount: "tar-2"},
		"a reader":             {Name: "reader", UID: "u-1", ServiceAccount: "tar-1"},
		"a pod of a requester": {Name: "elsewhere", UID: "u-1", ServiceAccount: "tar-1"},
	} {
		if got, err := resolver.Resolve(context.Background(), pod); !errors.Is(err, server.ErrUnknownPod) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func signingRequest(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return csr
}
