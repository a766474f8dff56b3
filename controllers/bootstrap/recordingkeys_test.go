package bootstrap

import (
	"crypto/ed25519"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/keys"
	"github.com/sallyport/sallyport/internal/record"
)

func (k *keeper) published() map[string]string {
	k.t.Helper()
	config, err := k.clients.CoreV1().ConfigMaps(v1alpha1.ProxyNamespace).Get(k.t.Context(), v1alpha1.RecordingKeysConfigMap, metav1.GetOptions{})
	if err != nil {
		k.t.Fatal(err)
	}
	return config.Data
}

func (k *keeper) publicKey() (name, pem string) {
	k.t.Helper()
	encoded, err := k.Keys.RecordingPublic()
	if err != nil {
		k.t.Fatal(err)
	}
	return record.KeyID(k.Keys.RecordingKey().Public().(ed25519.PublicKey)) + ".pem", string(encoded)
}

func TestTheKeysThatRecordingsAreCheckedWithArePublishedAndKept(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	k.run()
	k.run()
	want := map[string]string{}
	name, pem := k.publicKey()
	want[name] = pem
	if diff := cmp.Diff(want, k.published()); diff != "" {
		t.Fatalf("keys (-want +got):\n%s", diff)
	}
	other, err := keys.Generate(k.now)
	if err != nil {
		t.Fatal(err)
	}
	k.Keys = other
	k.run()
	name, pem = k.publicKey()
	want[name] = pem
	if diff := cmp.Diff(want, k.published()); diff != "" || len(want) != 2 {
		t.Errorf("after the root keys were replaced (-want +got):\n%s", diff)
	}
}

func TestAPublishedKeyThatSomebodyChangedIsPutRight(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	k.run()
	name, pem := k.publicKey()
	config, err := k.clients.CoreV1().ConfigMaps(v1alpha1.ProxyNamespace).Get(t.Context(), v1alpha1.RecordingKeysConfigMap, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	config.Data[name] = "trust me"
	if _, err := k.clients.CoreV1().ConfigMaps(v1alpha1.ProxyNamespace).Update(t.Context(), config, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	k.run()
	if k.published()[name] != pem {
		t.Errorf("published %q", k.published()[name])
	}
}
