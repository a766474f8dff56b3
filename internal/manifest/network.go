package manifest

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Service is where clients inside the cluster find the proxy.
func Service(request *v1alpha1.TaskAccessRequest) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: meta(request),
		Spec: corev1.ServiceSpec{
			Type:     corev1.ServiceTypeClusterIP,
			Selector: map[string]string{v1alpha1.LabelRequestUID: string(request.UID)},
			Ports: []corev1.ServicePort{{
				Name: "postgres", Port: PostgresPort, Protocol: corev1.ProtocolTCP,
				TargetPort: intstr.FromInt32(PostgresPort),
			}},
		},
	}
}

// NetworkPolicy denies all but: clients of the request's own namespace in; the
// target and the manager out. The recordings are a mount; DNS there is none.
func NetworkPolicy(request *v1alpha1.TaskAccessRequest, upstream Upstream) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		ObjectMeta: meta(request),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.LabelRequestUID: string(request.UID)}},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{
				From:  []networkingv1.NetworkPolicyPeer{namespacePeer(request.Namespace, nil)},
				Ports: tcp(PostgresPort),
			}},
			Egress: []networkingv1.NetworkPolicyEgressRule{
				{To: addressPeers(upstream.Addresses), Ports: tcp(upstream.Port)},
				{
					To: []networkingv1.NetworkPolicyPeer{namespacePeer(v1alpha1.OperatorNamespace,
						map[string]string{"app.kubernetes.io/name": "sallyport", v1alpha1.LabelComponent: "manager"})},
					Ports: tcp(ControlPort),
				},
			},
		},
	}
}

func namespacePeer(namespace string, pods map[string]string) networkingv1.NetworkPolicyPeer {
	peer := networkingv1.NetworkPolicyPeer{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
	}
	if pods != nil {
		peer.PodSelector = &metav1.LabelSelector{MatchLabels: pods}
	}
	return peer
}

// addressPeers is never empty: an empty list of peers would mean everybody.
func addressPeers(addresses []string) []networkingv1.NetworkPolicyPeer {
	peers := []networkingv1.NetworkPolicyPeer{}
	for _, address := range addresses {
		parsed, err := netip.ParseAddr(address)
		if err != nil {
			continue
		}
		parsed = parsed.Unmap()
		prefix := netip.PrefixFrom(parsed, parsed.BitLen())
		peers = append(peers, networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: prefix.String()}})
	}
	if len(peers) == 0 {
		peers = append(peers, networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: "192.0.2.0/32"}}) // TEST-NET-1, RFC 5737: nobody
	}
	return peers
}

func tcp(port int32) []networkingv1.NetworkPolicyPort {
	return []networkingv1.NetworkPolicyPort{{Protocol: new(corev1.ProtocolTCP), Port: new(intstr.FromInt32(port))}}
}
