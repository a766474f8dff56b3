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
func Service(request *v1alpha1.TaskAccessRequest, upstream Upstream) *corev1.Service {
	port := ListenPort(upstream.Protocol)
	return &corev1.Service{
		ObjectMeta: meta(request),
		Spec: corev1.ServiceSpec{
			Type:     corev1.ServiceTypeClusterIP,
			Selector: map[string]string{v1alpha1.LabelRequestUID: string(request.UID)},
			Ports: []corev1.ServicePort{{
				Name: upstream.Protocol, Port: port, Protocol: corev1.ProtocolTCP,
				TargetPort: intstr.FromInt32(port),
			}},
		},
	}
}

// NetworkPolicy denies all but: clients of the request's own namespace in; the
// target, the manager and the bucket of the recordings out. DNS there is none.
func NetworkPolicy(request *v1alpha1.TaskAccessRequest, upstream Upstream, store Store) *networkingv1.NetworkPolicy {
	policy := &networkingv1.NetworkPolicy{
		ObjectMeta: meta(request),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.LabelRequestUID: string(request.UID)}},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{
				From:  []networkingv1.NetworkPolicyPeer{namespacePeer(request.Namespace, nil)},
				Ports: tcp(ListenPort(upstream.Protocol)),
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
	if !store.isVolume() {
		policy.Spec.Egress = append(policy.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: prefixPeers(store.Egress), Ports: tcp(store.Port)})
	}
	return policy
}

// storeRule is the place of the bucket's rule among a policy's.
const storeRule = 2

// StoreEgress reads back where a task's proxy may connect to for its bucket: what its
// network policy says, and so what it can be told.
func StoreEgress(policy *networkingv1.NetworkPolicy) []netip.Prefix {
	if policy == nil || len(policy.Spec.Egress) <= storeRule {
		return nil
	}
	prefixes := []netip.Prefix{}
	for _, peer := range policy.Spec.Egress[storeRule].To {
		if peer.IPBlock == nil {
			continue
		}
		if prefix, err := netip.ParsePrefix(peer.IPBlock.CIDR); err == nil && prefix != nobody {
			prefixes = append(prefixes, prefix)
		}
	}
	return prefixes
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

func addressPeers(addresses []string) []networkingv1.NetworkPolicyPeer {
	prefixes := []netip.Prefix{}
	for _, address := range addresses {
		parsed, err := netip.ParseAddr(address)
		if err != nil {
			continue
		}
		parsed = parsed.Unmap()
		prefixes = append(prefixes, netip.PrefixFrom(parsed, parsed.BitLen()))
	}
	return prefixPeers(prefixes)
}

var nobody = netip.MustParsePrefix("192.0.2.0/32") // TEST-NET-1, RFC 5737

// prefixPeers is never empty: an empty list of peers would mean everybody.
func prefixPeers(prefixes []netip.Prefix) []networkingv1.NetworkPolicyPeer {
	if len(prefixes) == 0 {
		prefixes = []netip.Prefix{nobody}
	}
	peers := make([]networkingv1.NetworkPolicyPeer, len(prefixes))
	for i, prefix := range prefixes {
		peers[i].IPBlock = &networkingv1.IPBlock{CIDR: prefix.String()}
	}
	return peers
}

func tcp(port int32) []networkingv1.NetworkPolicyPort {
	return []networkingv1.NetworkPolicyPort{{Protocol: new(corev1.ProtocolTCP), Port: new(intstr.FromInt32(port))}}
}
