package manifest

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
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
	Image: "sallyport.local/proxy:dev", Claim: "sallyport-recordings", Quota: 1 << 30, ControlAddress: "10.96.0.20:8443",
	ControlServerName: "sallyport-control.sallyport-system.svc", ControlCA: "PEM", APIServerAddress: "10.96.0.1:443",
}

var (
	database = Upstream{Protocol: v1alpha1.ProtocolPostgres, Addresses: []string{"192.0.2.10", "2001:db8::1"}, Port: 5432}
	host     = Upstream{Protocol: v1alpha1.ProtocolSSH, Addresses: []string{"192.0.2.10"}, Port: 22}
)

// archive is a bucket.
var archive = Store{Egress: []netip.Prefix{netip.MustParsePrefix("198.51.100.7/32")}, Port: 9000}

func TestEachObjectIsAsItsGoldenFile(t *testing.T) {
	t.Parallel()
	for name, object := range map[string]client.Object{
		"pod": Pod(request(), database, settings, Store{}, 4230), "pod-bucket": Pod(request(), database, settings, archive, 4230), "service": Service(request(), database), "serviceaccount": ServiceAccount(request()),
		"networkpolicy":        NetworkPolicy(request(), database, Store{}),
		"networkpolicy-bucket": NetworkPolicy(request(), Upstream{Addresses: []string{"192.0.2.10"}, Port: 5432}, archive),
		"removal":              Removal(string(request().UID), metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "recordings-1", UID: "c1"}, settings),
		"pod-ssh":              Pod(request(), host, settings, Store{}, 4230),
		"service-ssh":          Service(request(), host),
		"networkpolicy-ssh":    NetworkPolicy(request(), host, Store{}),
		"role":                 Role(request()), "rolebinding": RoleBinding(request()),
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
	restricted := psaapi.LevelVersion{Level: psaapi.LevelRestricted, Version: psaapi.LatestVersion()}
	for _, pod := range []*corev1.Pod{
		Pod(request(), database, settings, Store{}, 60), Pod(request(), database, settings, archive, 60), Removal("1", metav1.OwnerReference{}, settings),
	} {
		result := psapolicy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec))
		if !result.Allowed {
			t.Errorf("%s is forbidden: %s", pod.Name, result.ForbiddenDetail())
		}
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
		Pod(hostile, database, settings, Store{}, 60), Service(hostile, database), ServiceAccount(hostile), Role(hostile), RoleBinding(hostile),
		NetworkPolicy(hostile, Upstream{}, archive),
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
		peers := NetworkPolicy(request(), Upstream{Addresses: addresses, Port: 5432}, Store{}).Spec.Egress[0].To
		if len(peers) != 1 || peers[0].IPBlock == nil || peers[0].IPBlock.CIDR != "192.0.2.0/32" {
			t.Errorf("peers %+v: an empty list would mean everybody", peers)
		}
	}
}

func TestAProxyIsToldOnlyOfAddressesThatItsNetworkPolicyLetsItReach(t *testing.T) {
	t.Parallel()
	upstream := Upstream{Addresses: []string{"192.0.2.10"}, Port: 5432}
	for name, test := range map[string]struct {
		store Store
		want  string
	}{
		"the volume":             {Store{}, "[]"},
		"a bucket":               {archive, "[198.51.100.7/32]"},
		"a bucket that is lost":  {Store{Port: 9000}, "[]"},
		"a bucket on one prefix": {Store{Port: 443, Egress: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}, "[198.51.100.0/24]"},
	} {
		if got := fmt.Sprint(StoreEgress(NetworkPolicy(request(), upstream, test.store))); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	if got := StoreEgress(nil); len(got) != 0 {
		t.Errorf("without a policy: %v", got)
	}
}

func TestOP1_APodMountsItsOwnTasksRecordingsAndNoPodOfABucketMountsAny(t *testing.T) {
	t.Parallel()
	uid := string(request().UID)
	for name, test := range map[string]struct {
		pod  *corev1.Pod
		want bool
	}{
		"on the volume": {Pod(request(), database, settings, Store{}, 60), true},
		"in a bucket":   {Pod(request(), database, settings, archive, 60), false},
		"a removal":     {Removal(uid, metav1.OwnerReference{}, settings), true},
	} {
		mounts := false
		for _, mount := range test.pod.Spec.Containers[0].VolumeMounts {
			if mount.Name == "recordings" {
				mounts = true
				if mount.SubPath != uid || mount.SubPathExpr != "" {
					t.Errorf("%s: mounts %q of the volume", name, mount.SubPath)
				}
			}
		}
		if mounts != test.want {
			t.Errorf("%s: mounts recordings: %v", name, mounts)
		}
	}
}
