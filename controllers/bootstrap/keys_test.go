package bootstrap

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/keys"
)

var errAPI = errors.New("the API server does not answer")

func TestTheFirstStartMakesRootKeysAndTheNextReadsThem(t *testing.T) {
	t.Parallel()
	clients := fake.NewClientset()
	made, read := rootKeys(t, clients), rootKeys(t, clients)
	same(t, made, read)
	secret, err := clients.CoreV1().Secrets(v1alpha1.OperatorNamespace).Get(t.Context(), KeysSecret, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := keys.Parse(secret.Data)
	if err != nil {
		t.Fatal(err)
	}
	same(t, made, stored)
}

// Each replica finds nothing when it first looks: one Create must lose.
func TestReplicasThatStartTogetherAgreeOnTheRootKeys(t *testing.T) {
	t.Parallel()
	const replicas = 2
	clients := fake.NewClientset()
	looked := 0 // the fake calls one reactor at a time
	clients.PrependReactor("get", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		looked++
		return looked <= replicas, nil, apierrors.NewNotFound(corev1.Resource("secrets"), KeysSecret)
	})
	roots, failures := make([]*keys.Root, replicas), make([]error, replicas)
	var running sync.WaitGroup
	for i := range replicas {
		running.Go(func() { roots[i], failures[i] = RootKeys(t.Context(), clients, time.Now()) })
	}
	running.Wait()
	if err := errors.Join(failures...); err != nil {
		t.Fatal(err)
	}
	same(t, roots[0], roots[1])
}

// New keys would void every certificate and password there is: only a Secret that is
// not there is made.
func TestRootKeysThatCannotBeReadAreNeverReplaced(t *testing.T) {
	t.Parallel()
	broken := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.OperatorNamespace, Name: KeysSecret},
		Data:       map[string][]byte{"ca.crt": []byte("nonsense")},
	}
	silent := fake.NewClientset()
	silent.PrependReactor("get", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errAPI })
	for name, clients := range map[string]*fake.Clientset{"they are broken": fake.NewClientset(broken), "nobody answers": silent} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if root, err := RootKeys(t.Context(), clients, time.Now()); err == nil || root != nil {
				t.Errorf("got keys and error %v, want an error alone", err)
			}
			for _, action := range clients.Actions() {
				if action.GetVerb() != "get" {
					t.Errorf("%s of %s", action.GetVerb(), action.GetResource().Resource)
				}
			}
		})
	}
}

func rootKeys(t *testing.T, clients *fake.Clientset) *keys.Root {
	t.Helper()
	root, err := RootKeys(t.Context(), clients, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func same(t *testing.T, a, b *keys.Root) {
	t.Helper()
	first, errFirst := a.Data()
	second, errSecond := b.Data()
	if err := errors.Join(errFirst, errSecond); err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(first, second) {
		t.Error("the root keys differ")
	}
}
