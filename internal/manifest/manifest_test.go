package manifest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	psaapi "k8s.io/pod-security-admission/api"
	psapolicy "k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files anew")

func request() *v1alpha1.TaskAccessRequest {
	return &v1alpha1.TaskAccessRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "pay-1423", UID: "11111111-2222-3333-4444-555555555555"},
		Spec: v1alpha1.TaskAccessRequestSpec{
			Requester: v1alpha1.Requester{Username: "bob", Groups: []string{"engineering"}},
			Task:      v1alpha1.Task{ID: "PAY-1423", Type: "data-fix"}, Target: "orders",
		},
	}
}

var settings = Settings{
	Image: "sallyport.local/proxy:dev", Claim: "sallyport-recordings", ControlAddress: "10.96.0.20:8443",
	ControlServerName: "sallyport-control.sallyport-system.svc", ControlCA: "PEM", APIServerAddress: "10.96.0.1:443",
}

func TestEachObjectIsAsItsGoldenFile(t *testing.T) {
	t.Parallel()
	for name, object := range map[string]client.Object{
		"pod": Pod(request(), settings, 4230), "service": Service(request()), "serviceaccount": ServiceAccount(request()),
		"networkpolicy": NetworkPolicy(request(), Upstream{Addresses: []string{"192.0.2.10", "2001:db8::1"}, Port: 5432}),
		"role":          Role(request()), "rolebinding": RoleBinding(request()),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := yaml.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".yaml")
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("-golden +built (go test -update writes anew):\n%s", diff)
			}
		})
	}
}

func TestAProxyMeetsTheRestrictedPodSecurityStandard(t *testing.T) {
	t.Parallel()
	evaluator, err := psapolicy.NewEvaluator(psapolicy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	pod := Pod(request(), settings, 60)
	restricted := psaapi.LevelVersion{Level: psaapi.LevelRestricted, Version: psaapi.LatestVersion()}
	result := psapolicy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec))
	if !result.Allowed {
		t.Errorf("forbidden: %s", result.ForbiddenDetail())
	}
}

// TestOP1_WhatARequesterWritesReachesNoFieldButLabels fills every field of a request
// with a marker, and looks for it in what is built.
func TestOP1_WhatARequesterWritesReachesNoFieldButLabels(t *testing.T) {
	t.Parallel()
	const marker = "evil\n---\nhostNetwork: true"
	hostile := request()
	hostile.Labels = map[string]string{"a": marker}
	hostile.Annotations = map[string]string{"b": marker}
	hostile.Spec.Task = v1alpha1.Task{ID: marker, Type: marker, URL: marker, Reviewer: marker}
	hostile.Spec.Target, hostile.Spec.Policy, hostile.Spec.Reason = marker, marker, marker
	hostile.Spec.ClientKeys = []string{marker}
	for _, object := range []client.Object{
		Pod(hostile, settings, 60), Service(hostile), ServiceAccount(hostile), Role(hostile), RoleBinding(hostile),
		NetworkPolicy(hostile, Upstream{}),
	} {
		text, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "evil") || strings.Contains(string(text), "hostNetwork") {
			t.Errorf("%T carries what the requester wrote:\n%s", object, text)
		}
	}
}

func TestATargetWithoutAddressesIsReachableByNobody(t *testing.T) {
	t.Parallel()
	for _, addresses := range [][]string{nil, {"not an address"}} {
		peers := NetworkPolicy(request(), Upstream{Addresses: addresses, Port: 5432}).Spec.Egress[0].To
		if len(peers) != 1 || peers[0].IPBlock == nil || peers[0].IPBlock.CIDR != "192.0.2.0/32" {
			t.Errorf("peers %+v: an empty list would mean everybody", peers)
		}
	}
}
