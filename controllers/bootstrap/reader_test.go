package bootstrap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/keys"
)

// keeper is a Reader over a cluster that has the APIService.
type keeper struct {
	*Reader
	t       *testing.T
	clients *fake.Clientset
	dynamic *dynamicfake.FakeDynamicClient
	now     time.Time
}

func newKeeper(t *testing.T) *keeper {
	t.Helper()
	registration := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
		"metadata": map[string]any{"name": apiService}, "spec": map[string]any{"groupPriorityMinimum": int64(1000)},
	}}
	k := &keeper{
		t: t, now: time.Now(), clients: fake.NewClientset(),
		dynamic: dynamicfake.NewSimpleDynamicClient(runtime.NewScheme(), registration),
	}
	root, err := keys.Generate(k.now)
	if err != nil {
		t.Fatal(err)
	}
	k.Reader = &Reader{Clients: k.clients, Dynamic: k.dynamic, Keys: root, Now: func() time.Time { return k.now }, Log: testr.New(t)}
	return k
}

func (k *keeper) run() {
	k.t.Helper()
	if err := k.ensure(k.t.Context()); err != nil {
		k.t.Fatal(err)
	}
}

func (k *keeper) secret() *corev1.Secret {
	k.t.Helper()
	secret, err := k.clients.CoreV1().Secrets(v1alpha1.ProxyNamespace).Get(k.t.Context(), readerSecret, metav1.GetOptions{})
	if err != nil {
		k.t.Fatal(err)
	}
	return secret
}

func (k *keeper) store(data map[string][]byte) {
	k.t.Helper()
	secret := k.secret()
	secret.Data = data
	if _, err := k.clients.CoreV1().Secrets(v1alpha1.ProxyNamespace).Update(k.t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		k.t.Fatal(err)
	}
}

// serves verifies the stored certificate as the API server's aggregator does.
func (k *keeper) serves() {
	k.t.Helper()
	secret := k.secret()
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		k.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(k.Keys.CA())
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: keys.ReaderName, Roots: roots, CurrentTime: k.now}); err != nil {
		k.t.Error(err)
	}
}

func TestTheReaderGetsACertificateThatTheAuthorityVouchesFor(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	k.run()
	k.serves()
	if got := k.secret(); got.Type != corev1.SecretTypeTLS || string(got.Data["ca.crt"]) != string(k.Keys.CA()) {
		t.Errorf("type %s, ca.crt %q", got.Type, got.Data["ca.crt"])
	}
}

func TestTheReadersCertificateIsKeptUntilItsEndIsNear(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	k.run()
	first, made := k.secret().Data, k.now
	for _, test := range []struct {
		age  time.Duration
		kept bool
	}{
		{time.Hour, true},
		{keys.ServingLifetime - renewBefore - time.Minute, true},
		{keys.ServingLifetime - renewBefore + time.Minute, false},
	} {
		k.now = made.Add(test.age)
		k.run()
		k.serves()
		if kept := cmp.Equal(first, k.secret().Data); kept != test.kept {
			t.Errorf("after %s: kept %t, want %t", test.age, kept, test.kept)
		}
	}
}

func TestACertificateThatIsNotTheReadersIsReplaced(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(k *keeper, data map[string][]byte){
		"it is empty": func(_ *keeper, data map[string][]byte) { clear(data) },
		"another authority's, and says so": func(k *keeper, data map[string][]byte) {
			stranger := newKeeper(k.t)
			stranger.run()
			maps.Copy(data, stranger.secret().Data)
		},
		"another authority's, under our name": func(k *keeper, data map[string][]byte) {
			stranger := newKeeper(k.t)
			stranger.run()
			maps.Copy(data, stranger.secret().Data)
			data["ca.crt"] = k.Keys.CA()
		},
		"its key is another's": func(k *keeper, data map[string][]byte) {
			_, key, err := k.Keys.ReaderCertificate(k.now)
			if err != nil {
				k.t.Fatal(err)
			}
			data[corev1.TLSPrivateKeyKey] = key
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKeeper(t)
			k.run()
			data := k.secret().DeepCopy().Data
			spoil(k, data)
			k.store(data)
			k.run()
			k.serves()
		})
	}
}

func TestTheAPIServerIsToldOnceWhoVouchesForTheReader(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	bundle := func() string {
		service, err := k.Dynamic.Resource(apiServices).Get(t.Context(), apiService, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		found, _, _ := unstructured.NestedString(service.Object, "spec", "caBundle")
		return found
	}
	k.run()
	k.run()
	if want := base64.StdEncoding.EncodeToString(k.Keys.CA()); bundle() != want {
		t.Errorf("caBundle %q, want %q", bundle(), want)
	}
	if got := k.patches(); got != 1 {
		t.Errorf("%d patches, want 1", got)
	}
	other, err := keys.Generate(k.now)
	if err != nil {
		t.Fatal(err)
	}
	k.Keys = other
	k.run()
	if want := base64.StdEncoding.EncodeToString(other.CA()); bundle() != want || k.patches() != 2 {
		t.Errorf("with new root keys: caBundle %q after %d patches", bundle(), k.patches())
	}
}

func (k *keeper) patches() int {
	found := 0
	for _, action := range k.dynamic.Actions() {
		if action.GetVerb() == "patch" {
			found++
		}
	}
	return found
}

func TestAReaderThatIsNotReadyIsLookedAtSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeeper(t)
		started, looks := time.Now(), []time.Duration{}
		k.clients.PrependReactor("get", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
			looks = append(looks, time.Since(started))
			return len(looks) == 1, nil, errAPI
		})
		ctx, cancel := context.WithTimeout(t.Context(), 11*time.Minute)
		defer cancel()
		if err := k.Start(ctx); err != nil || !k.NeedLeaderElection() {
			t.Errorf("ended with %v, on the leader alone %t", err, k.NeedLeaderElection())
		}
		if diff := cmp.Diff([]time.Duration{0, 5 * time.Second, 5*time.Second + readerEvery}, looks); diff != "" {
			t.Errorf("looks (-want +got):\n%s", diff)
		}
	})
}
