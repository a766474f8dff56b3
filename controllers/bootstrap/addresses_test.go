package bootstrap

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

func service(namespace, name, address string, ports ...int32) *corev1.Service {
	made := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       corev1.ServiceSpec{ClusterIP: address},
	}
	for _, port := range ports {
		made.Spec.Ports = append(made.Spec.Ports, corev1.ServicePort{Port: port})
	}
	return made
}

func TestTheAddressesOfControlAndAPIServerAreNobodysTarget(t *testing.T) {
	t.Parallel()
	clients := fake.NewClientset(
		service(v1alpha1.OperatorNamespace, ControlService, "10.96.0.20", 8443),
		service(metav1.NamespaceDefault, "kubernetes", "fd00::1", 443),
	)
	addresses, err := FindAddresses(t.Context(), clients)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Addresses{Control: "10.96.0.20:8443", APIServer: "[fd00::1]:443"}, addresses); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
	prefixes, err := addresses.Prefixes()
	if err != nil {
		t.Fatal(err)
	}
	want := []netip.Prefix{netip.MustParsePrefix("10.96.0.20/32"), netip.MustParsePrefix("fd00::1/128")}
	if diff := cmp.Diff(want, prefixes, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("prefixes (-want +got):\n%s", diff)
	}
}

func TestAServiceWithoutAClusterAddressIsSaidSo(t *testing.T) {
	t.Parallel()
	for name, control := range map[string]*corev1.Service{
		"headless":    service(v1alpha1.OperatorNamespace, ControlService, corev1.ClusterIPNone, 8443),
		"no port":     service(v1alpha1.OperatorNamespace, ControlService, "10.96.0.20"),
		"not there":   service("elsewhere", ControlService, "10.96.0.20", 8443),
		"not yet set": service(v1alpha1.OperatorNamespace, ControlService, "", 8443),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clients := fake.NewClientset(control, service(metav1.NamespaceDefault, "kubernetes", "10.96.0.1", 443))
			if found, err := FindAddresses(t.Context(), clients); err == nil {
				t.Errorf("found %+v", found)
			}
		})
	}
}
