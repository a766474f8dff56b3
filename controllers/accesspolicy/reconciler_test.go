package accesspolicy

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
	"github.com/sallyport/sallyport/internal/digest"
)

func TestAPolicyIsCompiledIntoItsStatus(t *testing.T) {
	t.Parallel()
	server := apitest.Start(t)
	recorder := events.NewFakeRecorder(8)
	r := &Reconciler{Client: server.Client, Events: recorder, Now: time.Now}

	policy := policyWith()
	policy.UID, policy.Generation = "", 0
	policy.Namespace = server.Namespace(t.Context(), t)
	if err := server.Client.Create(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	key := ctrl.Request{NamespacedName: client.ObjectKeyFromObject(policy)}
	pass := func(want string) {
		t.Helper()
		if _, err := r.Reconcile(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if err := server.Client.Get(t.Context(), key.NamespacedName, policy); err != nil {
			t.Fatal(err)
		}
		ready := meta.FindStatusCondition(policy.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.Reason != want || ready.ObservedGeneration != policy.Generation {
			t.Fatalf("Ready is %+v, want %s", ready, want)
		}
		if policy.Status.Digest != digest.Policy(policy) {
			t.Fatalf("digest %q", policy.Status.Digest)
		}
	}
	pass(v1alpha1.ReasonReady)
	version := policy.ResourceVersion
	pass(v1alpha1.ReasonReady)
	if policy.ResourceVersion != version {
		t.Error("written again though nothing changed")
	}
	policy.Spec.Rules = []v1alpha1.Rule{rule("broken", "1 +", v1alpha1.EffectDeny)}
	if err := server.Client.Update(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	pass(v1alpha1.ReasonInvalid)
	if got := len(recorder.Events); got != 2 {
		t.Errorf("%d events, want Ready and Invalid", got)
	}
	if err := server.Client.Delete(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Reconcile(t.Context(), key); err != nil {
		t.Errorf("gone: %v", err)
	}
}
