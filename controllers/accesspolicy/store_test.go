package accesspolicy

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
	"github.com/sallyport/sallyport/internal/stores"
)

func TestAPolicyWhoseStoreCannotBeUsedSaysWhatToDo(t *testing.T) {
	t.Parallel()
	server := apitest.Start(t)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(client.IgnoreAlreadyExists(server.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ProxyNamespace}})))
	r := &Reconciler{
		Client: server.Client, Events: events.NewFakeRecorder(16), Now: time.Now,
		Stores: configured{stores.Directory{ConfigMaps: server.Client, Secrets: server.Client}},
	}
	policy := policyWith()
	policy.UID, policy.Generation = "", 0
	policy.Namespace = server.Namespace(ctx, t)
	policy.Spec.Recording = v1alpha1.RecordingPolicy{Store: "archive", Durability: v1alpha1.DurabilityRemote}
	must(server.Client.Create(ctx, policy))
	expect := func(reason, words string) {
		t.Helper()
		if _, err := r.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(policy)}); err != nil {
			t.Fatal(err)
		}
		must(server.Client.Get(ctx, client.ObjectKeyFromObject(policy), policy))
		ready := meta.FindStatusCondition(policy.Status.Conditions, v1alpha1.ConditionReady)
		if ready.Reason != reason || !strings.Contains(ready.Message, words) {
			t.Fatalf("Ready is %s: %s, want %s: …%s…", ready.Reason, ready.Message, reason, words)
		}
	}
	expect(v1alpha1.ReasonUnsupported, `there is no store "archive": name another, or have whoever runs Sallyport add ConfigMap sallyport-proxies/sallyport-store-archive; there are: volume`)

	where := metav1.ObjectMeta{Namespace: v1alpha1.ProxyNamespace, Name: stores.ObjectName("archive")}
	config := &corev1.ConfigMap{ObjectMeta: where, Data: map[string]string{stores.KeyKind: "S3", stores.KeyEndpoint: "https://s3.example.org"}}
	must(server.Client.Create(ctx, config))
	if got := r.recordingTo(ctx, config); len(got) != 1 || got[0].Name != policy.Name {
		t.Errorf("a store that is new wakes %v", got)
	}
	expect(v1alpha1.ReasonUnsupported, "bucket must be")

	config.Data[stores.KeyBucket] = "recordings"
	must(server.Client.Update(ctx, config))
	expect(v1alpha1.ReasonUnsupported, "has no Secret sallyport-proxies/sallyport-store-archive")

	must(server.Client.Create(ctx, &corev1.Secret{ObjectMeta: where, StringData: map[string]string{
		stores.KeyAccessKeyID: "me", stores.KeySecretAccessKey: "hunter2",
	}}))
	expect(v1alpha1.ReasonReady, "compiled")
}

func TestRemoteOnTheVolumeIsUnsupportedWhateverTheSchemaLetIn(t *testing.T) {
	t.Parallel()
	why, err := (&Reconciler{}).unusable(t.Context(), v1alpha1.RecordingPolicy{Durability: v1alpha1.DurabilityRemote})
	if err != nil || !strings.Contains(why, "needs a bucket") {
		t.Errorf("%q %v", why, err)
	}
	if why, err := (&Reconciler{}).unusable(t.Context(), v1alpha1.RecordingPolicy{Durability: v1alpha1.DurabilityDisk}); err != nil || why != "" {
		t.Errorf("Disk on the volume: %q %v", why, err)
	}
}

// configured is stores whose buckets answer, once they have a credential.
type configured struct{ stores.Directory }

func (c configured) Check(ctx context.Context, bucket *stores.Bucket) error {
	_, err := c.Credential(ctx, bucket)
	return err
}
