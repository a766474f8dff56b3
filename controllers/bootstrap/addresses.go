package bootstrap

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// ControlService is the Service of the control channel, in the operator's namespace.
const ControlService = "sallyport-control"

// Addresses are those that proxies are told, since they have no resolver.
type Addresses struct {
	// Control is the manager's and APIServer the API server's cluster address, host:port.
	Control, APIServer string
}

// Prefixes are the addresses alone, which are nobody's target.
func (a Addresses) Prefixes() ([]netip.Prefix, error) {
	prefixes := []netip.Prefix{}
	for _, address := range []string{a.Control, a.APIServer} {
		parsed, err := netip.ParseAddrPort(address)
		if err != nil {
			return nil, err
		}
		prefixes = append(prefixes, netip.PrefixFrom(parsed.Addr(), parsed.Addr().BitLen()))
	}
	return prefixes, nil
}

// FindAddresses reads the cluster addresses of the control channel and of the API server.
func FindAddresses(ctx context.Context, clients kubernetes.Interface) (Addresses, error) {
	control, err := clusterAddress(ctx, clients, v1alpha1.OperatorNamespace, ControlService)
	if err != nil {
		return Addresses{}, err
	}
	server, err := clusterAddress(ctx, clients, metav1.NamespaceDefault, "kubernetes")
	if err != nil {
		return Addresses{}, err
	}
	return Addresses{Control: control, APIServer: server}, nil
}

func clusterAddress(ctx context.Context, clients kubernetes.Interface, namespace, name string) (string, error) {
	service, err := clients.CoreV1().Services(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("address of service %s/%s: %w", namespace, name, err)
	}
	if net.ParseIP(service.Spec.ClusterIP) == nil || len(service.Spec.Ports) == 0 {
		return "", fmt.Errorf("service %s/%s has no cluster address: it must be of type ClusterIP", namespace, name)
	}
	return net.JoinHostPort(service.Spec.ClusterIP, fmt.Sprint(service.Spec.Ports[0].Port)), nil
}
