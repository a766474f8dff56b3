package enforce

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
	"github.com/sallyport/sallyport/hack/cluster/internal/netpol"
)

// podInterfaces is how the ptp plugin begins the names of the node's ends.
const podInterfaces = "veth"

func (e *enforcer) snapshot(known []*sandbox) (netpol.Snapshot, error) {
	pods, err := e.pods.List(labels.Everything())
	if err != nil {
		return netpol.Snapshot{}, err
	}
	namespaces, err := e.namespaces.List(labels.Everything())
	if err != nil {
		return netpol.Snapshot{}, err
	}
	policies, err := e.policies.List(labels.Everything())
	if err != nil {
		return netpol.Snapshot{}, err
	}
	s := netpol.Snapshot{
		PodCIDR: layout.PodCIDR, PodInterfaces: podInterfaces,
		Pods: addressed(pods, known), Namespaces: map[string]map[string]string{},
	}
	for _, namespace := range namespaces {
		s.Namespaces[namespace.Name] = namespace.Labels
	}
	for _, policy := range policies {
		s.Policies = append(s.Policies, *policy)
	}
	return s, nil
}

// addressed pairs pods with addresses. An address belongs to the pod that the CNI
// plugin gave it to; only for the others is the kubelet's word taken, which may be
// old: a pod that has ended keeps an address in its status that another has by now.
func addressed(pods []*corev1.Pod, known []*sandbox) []netpol.Pod {
	byPod := map[podKey]string{}
	taken := map[string]bool{}
	for _, sandbox := range known {
		byPod[sandbox.podKey] = sandbox.ip
		taken[sandbox.ip] = true
	}
	var result []netpol.Pod
	for _, pod := range pods {
		if pod.Spec.HostNetwork {
			continue
		}
		ip, given := byPod[podKey{pod.Namespace, pod.Name}]
		if !given {
			ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
			ip = pod.Status.PodIP
			if ip == "" || ended || taken[ip] {
				continue
			}
			taken[ip] = true
		}
		result = append(result, netpol.Pod{
			Namespace: pod.Namespace, Name: pod.Name, IP: ip, Labels: pod.Labels, Ports: namedPorts(pod),
		})
	}
	return result
}

func namedPorts(pod *corev1.Pod) []netpol.NamedPort {
	var ports []netpol.NamedPort
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			if port.Name != "" {
				ports = append(ports, netpol.NamedPort{
					Name: port.Name, Protocol: strings.ToLower(string(port.Protocol)), Number: port.ContainerPort,
				})
			}
		}
	}
	return ports
}
