// Package netpol translates NetworkPolicies to nftables. It is a pure function
// from objects to text, and test equipment: it stands in for the enforcer that a
// real cluster has.
package netpol

import (
	"fmt"
	"sort"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
)

// Table is the name of the one nftables table.
const Table = "sallyport_policy"

// Snapshot is all that the rules depend on.
type Snapshot struct {
	// PodCIDR holds the addresses that pods can have.
	PodCIDR string
	// PodInterfaces is the prefix of the names of the node's ends of pod interfaces.
	PodInterfaces string
	Pods          []Pod
	// Namespaces maps a namespace's name to its labels.
	Namespaces map[string]map[string]string
	Policies   []networkingv1.NetworkPolicy
}

// Pod is a pod with an address of its own.
type Pod struct {
	Namespace, Name string
	IP              string
	Labels          map[string]string
	Ports           []NamedPort
}

// NamedPort is a container's port that rules may call by name.
type NamedPort struct {
	Name string
	// Protocol is as nftables writes it: tcp, udp or sctp.
	Protocol string
	Number   int32
}

// direction is one half of a policy.
type direction struct {
	// kind is the policy type, chain the prefix of the chains' names, peer how
	// nftables calls the address at the other end.
	kind        networkingv1.PolicyType
	chain, peer string
}

var (
	egress  = direction{networkingv1.PolicyTypeEgress, "egress", "ip daddr"}
	ingress = direction{networkingv1.PolicyTypeIngress, "ingress", "ip saddr"}
)

// Render writes a script for "nft -f" that replaces the whole table in one step.
//
// A connection between two pods needs the sender's egress and the receiver's
// ingress: each is a chain that returns for what it allows and drops the rest.
// The hooks run after kube-proxy has put a pod's address in the place of a
// Service's. A pod that is not in this snapshot yet can neither send nor receive,
// so a new pod has no moment without its policies.
func Render(s Snapshot) string {
	pods := append([]Pod(nil), s.Pods...)
	sort.Slice(pods, func(i, j int) bool { return pods[i].IP < pods[j].IP })

	var chains strings.Builder
	var seen, out, in []string
	for _, pod := range pods {
		seen = append(seen, pod.IP)
		if writeChain(&chains, s, pod, egress) {
			out = append(out, entry(pod, egress))
		}
		if writeChain(&chains, s, pod, ingress) {
			in = append(in, entry(pod, ingress))
		}
	}

	var b strings.Builder
	fmt.Fprintf(&b, "add table inet %[1]s\ndelete table inet %[1]s\ntable inet %[1]s {\n", Table)
	writeElements(&b, "set seen", "ipv4_addr", seen)
	writeElements(&b, "map egress", "ipv4_addr : verdict", out)
	writeElements(&b, "map ingress", "ipv4_addr : verdict", in)
	b.WriteString(chains.String())
	// From pods to pods and beyond.
	b.WriteString("\tchain forward {\n\t\ttype filter hook forward priority filter; policy accept;\n")
	writeSender(&b, s)
	fmt.Fprintf(&b, "\t\tip daddr %s ip daddr != @seen drop\n", s.PodCIDR)
	b.WriteString("\t\tip daddr vmap @ingress\n\t}\n")
	// From pods to the node itself, where the API server listens. What the node
	// sends to its pods is always allowed: probes must work under any policy.
	b.WriteString("\tchain input {\n\t\ttype filter hook input priority filter; policy accept;\n")
	writeSender(&b, s)
	b.WriteString("\t}\n}\n")
	return b.String()
}

func writeSender(b *strings.Builder, s Snapshot) {
	b.WriteString("\t\tct state established,related accept\n")
	fmt.Fprintf(b, "\t\tiifname \"%s*\" meta nfproto ipv6 drop\n", s.PodInterfaces)
	fmt.Fprintf(b, "\t\tiifname \"%s*\" ip saddr != @seen drop\n", s.PodInterfaces)
	b.WriteString("\t\tip saddr vmap @egress\n")
}

// writeChain writes what one pod's policies allow in one direction. It writes
// nothing and returns false if no policy selects the pod: then all is allowed.
func writeChain(b *strings.Builder, s Snapshot, pod Pod, d direction) bool {
	policies := selecting(s, pod, d)
	if len(policies) == 0 {
		return false
	}
	fmt.Fprintf(b, "\t# %s of %s/%s\n\tchain %s {\n", d.kind, pod.Namespace, pod.Name, chainName(pod, d))
	for _, policy := range policies {
		for _, line := range allowed(s, policy, pod, d) {
			fmt.Fprintf(b, "\t\t%s\n", strings.TrimSpace(line+" return"))
		}
	}
	b.WriteString("\t\tdrop\n\t}\n")
	return true
}

func writeElements(b *strings.Builder, what, kind string, elements []string) {
	fmt.Fprintf(b, "\t%s {\n\t\ttype %s\n", what, kind)
	if len(elements) > 0 {
		fmt.Fprintf(b, "\t\telements = { %s }\n", strings.Join(elements, ", "))
	}
	b.WriteString("\t}\n")
}

func entry(pod Pod, d direction) string { return pod.IP + " : jump " + chainName(pod, d) }

func chainName(pod Pod, d direction) string {
	return d.chain + "_" + strings.ReplaceAll(pod.IP, ".", "_")
}
