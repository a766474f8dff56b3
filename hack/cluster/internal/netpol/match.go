package netpol

import (
	"slices"
	"sort"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// selecting returns the policies that isolate the pod in this direction, by name.
func selecting(s Snapshot, pod Pod, d direction) []networkingv1.NetworkPolicy {
	var found []networkingv1.NetworkPolicy
	for _, policy := range s.Policies {
		if policy.Namespace == pod.Namespace && slices.Contains(types(policy), d.kind) && matches(&policy.Spec.PodSelector, pod.Labels) {
			found = append(found, policy)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Name < found[j].Name })
	return found
}

// types applies the API's default: ingress always, egress if there are rules for it.
func types(policy networkingv1.NetworkPolicy) []networkingv1.PolicyType {
	if len(policy.Spec.PolicyTypes) > 0 {
		return policy.Spec.PolicyTypes
	}
	if len(policy.Spec.Egress) > 0 {
		return []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	}
	return []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
}

// allowed returns the matches of one policy; an empty one matches everything.
func allowed(s Snapshot, policy networkingv1.NetworkPolicy, pod Pod, d direction) []string {
	var lines []string
	if d.kind == networkingv1.PolicyTypeEgress {
		for _, rule := range policy.Spec.Egress {
			lines = append(lines, ruleLines(s, policy.Namespace, rule.To, rule.Ports, pod, d)...)
		}
		return lines
	}
	for _, rule := range policy.Spec.Ingress {
		lines = append(lines, ruleLines(s, policy.Namespace, rule.From, rule.Ports, pod, d)...)
	}
	return lines
}

func ruleLines(s Snapshot, namespace string, peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort, pod Pod, d direction) []string {
	var lines []string
	for _, port := range orAny(ports) {
		for _, peer := range orAny(peers) {
			lines = append(lines, pairLines(s, namespace, peer, port, pod, d)...)
		}
	}
	return lines
}

// orAny returns pointers to the list's elements, or one nil for an empty list,
// which in a policy means any.
func orAny[T any](list []T) []*T {
	if len(list) == 0 {
		return []*T{nil}
	}
	pointers := make([]*T, len(list))
	for i := range list {
		pointers[i] = &list[i]
	}
	return pointers
}

// pairLines matches one peer and one port of a rule.
func pairLines(s Snapshot, namespace string, peer *networkingv1.NetworkPolicyPeer, port *networkingv1.NetworkPolicyPort, pod Pod, d direction) []string {
	if name, named := portName(port); named {
		return namedPortLines(s, namespace, peer, name, protocol(port), pod, d)
	}
	at := portMatch(port)
	switch {
	case peer == nil:
		return []string{at}
	case peer.IPBlock != nil && strings.Contains(peer.IPBlock.CIDR, ":"):
		return nil // there is no IPv6 in this cluster
	case peer.IPBlock != nil:
		return []string{join(blockMatch(peer.IPBlock, d), at)}
	default:
		return addressLines(addresses(peerPods(s, namespace, peer)), at, d)
	}
}

// namedPortLines resolves a port's name on the pods that receive: for egress the
// peers, for ingress the pod itself. An address that is no pod has no names.
func namedPortLines(s Snapshot, namespace string, peer *networkingv1.NetworkPolicyPeer, name, protocol string, pod Pod, d direction) []string {
	var lines []string
	if d.kind == networkingv1.PolicyTypeIngress {
		for _, number := range pod.portsCalled(name, protocol) {
			resolved := intstr.FromInt32(number)
			kind := corev1.Protocol(strings.ToUpper(protocol))
			lines = append(lines, pairLines(s, namespace, peer, &networkingv1.NetworkPolicyPort{Protocol: &kind, Port: &resolved}, pod, d)...)
		}
		return lines
	}
	receivers := s.Pods
	if peer != nil {
		if peer.IPBlock != nil {
			return nil
		}
		receivers = peerPods(s, namespace, peer)
	}
	for _, receiver := range receivers {
		for _, number := range receiver.portsCalled(name, protocol) {
			lines = append(lines, join(d.peer+" "+receiver.IP, protocol+" dport "+strconv.Itoa(int(number))))
		}
	}
	sort.Strings(lines)
	return lines
}

func (p Pod) portsCalled(name, protocol string) []int32 {
	var numbers []int32
	for _, port := range p.Ports {
		if port.Name == name && port.Protocol == protocol {
			numbers = append(numbers, port.Number)
		}
	}
	return numbers
}

func peerPods(s Snapshot, namespace string, peer *networkingv1.NetworkPolicyPeer) []Pod {
	var found []Pod
	for _, pod := range s.Pods {
		inNamespace := pod.Namespace == namespace
		if peer.NamespaceSelector != nil {
			inNamespace = matches(peer.NamespaceSelector, s.Namespaces[pod.Namespace])
		}
		if inNamespace && (peer.PodSelector == nil || matches(peer.PodSelector, pod.Labels)) {
			found = append(found, pod)
		}
	}
	return found
}

// matches is false for a selector that the API server would not have let in.
func matches(selector *metav1.LabelSelector, set map[string]string) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(labels.Set(set))
}

func addresses(pods []Pod) []string {
	ips := make([]string, 0, len(pods))
	for _, pod := range pods {
		ips = append(ips, pod.IP)
	}
	sort.Strings(ips)
	return ips
}

func addressLines(ips []string, at string, d direction) []string {
	if len(ips) == 0 {
		return nil
	}
	return []string{join(d.peer+" { "+strings.Join(ips, ", ")+" }", at)}
}

func blockMatch(block *networkingv1.IPBlock, d direction) string {
	match := d.peer + " " + block.CIDR
	if len(block.Except) > 0 {
		match += " " + d.peer + " != { " + strings.Join(block.Except, ", ") + " }"
	}
	return match
}

func portName(port *networkingv1.NetworkPolicyPort) (string, bool) {
	if port == nil || port.Port == nil || port.Port.Type != intstr.String {
		return "", false
	}
	return port.Port.StrVal, true
}

func portMatch(port *networkingv1.NetworkPolicyPort) string {
	switch {
	case port == nil:
		return ""
	case port.Port == nil:
		return "meta l4proto " + protocol(port)
	case port.EndPort != nil:
		return protocol(port) + " dport " + strconv.Itoa(int(port.Port.IntVal)) + "-" + strconv.Itoa(int(*port.EndPort))
	default:
		return protocol(port) + " dport " + strconv.Itoa(int(port.Port.IntVal))
	}
}

func protocol(port *networkingv1.NetworkPolicyPort) string {
	if port.Protocol == nil {
		return "tcp"
	}
	return strings.ToLower(string(*port.Protocol))
}

func join(a, b string) string { return strings.TrimSpace(a + " " + b) }
