package netpol

import (
	"slices"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

var (
	web        = Pod{Namespace: "shop", Name: "web", IP: "10.0.0.2", Labels: map[string]string{"app": "web"}, Ports: []NamedPort{{"http", "tcp", 8080}}}
	db         = Pod{Namespace: "shop", Name: "db", IP: "10.0.0.3", Labels: map[string]string{"app": "db"}, Ports: []NamedPort{{"sql", "tcp", 5432}}}
	proxy      = Pod{Namespace: "proxies", Name: "proxy", IP: "10.0.0.4", Labels: map[string]string{"app": "proxy"}, Ports: []NamedPort{{"sql", "tcp", 6432}}}
	namespaces = map[string]map[string]string{"shop": {"team": "shop"}, "proxies": {"team": "platform"}}
)

// rulesOf returns the lines of one chain, and false if there is no such chain.
func rulesOf(t *testing.T, script, chain string) ([]string, bool) {
	t.Helper()
	_, rest, found := strings.Cut(script, "\tchain "+chain+" {\n")
	if !found {
		return nil, false
	}
	body, _, closed := strings.Cut(rest, "\t}\n")
	if !closed {
		t.Fatalf("chain %s does not end:\n%s", chain, script)
	}
	var lines []string
	for line := range strings.Lines(body) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines, true
}

func policy(t *testing.T, namespace, spec string) networkingv1.NetworkPolicy {
	t.Helper()
	p := networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "policy"}}
	if err := yaml.UnmarshalStrict([]byte(spec), &p.Spec); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAPolicyAllowsWhatItSaysAndNoMore(t *testing.T) {
	const ofDB, fromDB, ofWeb = "ingress_10_0_0_3", "egress_10_0_0_3", "ingress_10_0_0_2"
	tests := []struct {
		name, namespace, spec, chain string
		// want is nil where the pod must not be isolated.
		want []string
	}{
		{"a policy without rules lets nothing in", "shop", `{podSelector: {}}`, ofDB, []string{"drop"}},
		{"a policy about ingress does not touch egress", "shop", `{podSelector: {}}`, fromDB, nil},
		{"egress rules isolate egress although no type names it", "shop", `{podSelector: {}, egress: [{}]}`, fromDB, []string{"return", "drop"}},
		{"a type without rules lets nothing out", "shop", `{podSelector: {}, policyTypes: [Egress]}`, fromDB, []string{"drop"}},
		{"a type that is not named is left alone", "shop", `{podSelector: {}, policyTypes: [Egress]}`, ofDB, nil},
		{"an empty rule lets everything in", "shop", `{podSelector: {}, ingress: [{}]}`, ofDB, []string{"return", "drop"}},
		{"a policy holds in its namespace alone", "proxies", `{podSelector: {}}`, ofDB, nil},
		{"a policy holds for the selected pods alone", "shop", `{podSelector: {matchLabels: {app: db}}}`, ofWeb, nil},
		{
			"a pod selector looks in the policy's namespace", "shop",
			`{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {}}]}]}`, ofDB,
			[]string{"ip saddr { 10.0.0.2, 10.0.0.3 } return", "drop"},
		},
		{
			"a namespace selector looks in others, at every pod", "shop",
			`{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: platform}}}]}]}`, ofDB,
			[]string{"ip saddr { 10.0.0.4 } return", "drop"},
		},
		{
			"both selectors of one peer must match", "shop",
			`{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}]}]}`, ofDB,
			[]string{"ip saddr { 10.0.0.2 } return", "drop"},
		},
		{
			"a peer that matches no pod allows nothing", "shop",
			`{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: gone}}}]}]}`, ofDB, []string{"drop"},
		},
		{
			"two peers are two ways", "shop",
			`{podSelector: {}, egress: [{to: [{podSelector: {matchLabels: {app: web}}}, {ipBlock: {cidr: 192.0.2.0/24}}]}]}`, fromDB,
			[]string{"ip daddr { 10.0.0.2 } return", "ip daddr 192.0.2.0/24 return", "drop"},
		},
		{
			"a block has exceptions", "shop",
			`{podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.90.0.0/24, 10.91.0.0/24]}}]}]}`, fromDB,
			[]string{"ip daddr 10.0.0.0/8 ip daddr != { 10.90.0.0/24, 10.91.0.0/24 } return", "drop"},
		},
		{
			"a block of IPv6 allows nothing here", "shop",
			`{podSelector: {}, egress: [{to: [{ipBlock: {cidr: "::/0"}}]}]}`, fromDB, []string{"drop"},
		},
		{
			"every port goes with every peer", "shop",
			`{podSelector: {}, egress: [{to: [{ipBlock: {cidr: 192.0.2.1/32}}, {ipBlock: {cidr: 192.0.2.2/32}}], ports: [{port: 443}, {port: 53, protocol: UDP}]}]}`, fromDB,
			[]string{
				"ip daddr 192.0.2.1/32 tcp dport 443 return", "ip daddr 192.0.2.2/32 tcp dport 443 return",
				"ip daddr 192.0.2.1/32 udp dport 53 return", "ip daddr 192.0.2.2/32 udp dport 53 return", "drop",
			},
		},
		{
			"a port without peers is open to all", "shop", `{podSelector: {}, ingress: [{ports: [{port: 5432}]}]}`, ofDB,
			[]string{"tcp dport 5432 return", "drop"},
		},
		{
			"ports can be a range", "shop", `{podSelector: {}, ingress: [{ports: [{port: 5432, endPort: 5440}]}]}`, ofDB,
			[]string{"tcp dport 5432-5440 return", "drop"},
		},
		{
			"a protocol without a port is every port", "shop", `{podSelector: {}, ingress: [{ports: [{protocol: UDP}]}]}`, ofDB,
			[]string{"meta l4proto udp return", "drop"},
		},
		{
			"for ingress a port's name is the pod's own", "shop",
			`{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: platform}}}], ports: [{port: sql}]}]}`, ofDB,
			[]string{"ip saddr { 10.0.0.4 } tcp dport 5432 return", "drop"},
		},
		{
			"a pod without a port of that name is closed", "shop", `{podSelector: {}, ingress: [{ports: [{port: sql}]}]}`, ofWeb, []string{"drop"},
		},
		{
			"for egress a port's name is the receiver's", "shop", `{podSelector: {}, egress: [{to: [{namespaceSelector: {}}], ports: [{port: sql}]}]}`, fromDB,
			[]string{"ip daddr 10.0.0.3 tcp dport 5432 return", "ip daddr 10.0.0.4 tcp dport 6432 return", "drop"},
		},
		{
			"a block has no names of ports", "shop",
			`{podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: sql}]}]}`, fromDB, []string{"drop"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			script := Render(Snapshot{
				PodCIDR: "10.0.0.0/24", PodInterfaces: "veth", Pods: []Pod{proxy, web, db}, Namespaces: namespaces,
				Policies: []networkingv1.NetworkPolicy{policy(t, test.namespace, test.spec)},
			})
			got, found := rulesOf(t, script, test.chain)
			if found != (test.want != nil) || !slices.Equal(got, test.want) {
				t.Errorf("chain %s (found %v):\n%s\nwant:\n%s", test.chain, found, strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
			if jump := ": jump " + test.chain; found != strings.Contains(script, jump) {
				t.Errorf("the chain is used %v, exists %v", !found, found)
			}
		})
	}
}

func TestPoliciesAddUp(t *testing.T) {
	first := policy(t, "shop", `{podSelector: {}, ingress: [{ports: [{port: 1}]}]}`)
	second := policy(t, "shop", `{podSelector: {}, ingress: [{ports: [{port: 2}]}]}`)
	second.Name = "another"
	script := Render(Snapshot{PodCIDR: "10.0.0.0/24", PodInterfaces: "veth", Pods: []Pod{db}, Namespaces: namespaces, Policies: []networkingv1.NetworkPolicy{first, second}})
	got, _ := rulesOf(t, script, "ingress_10_0_0_3")
	if want := []string{"tcp dport 2 return", "tcp dport 1 return", "drop"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAPodThatIsNotKnownYetIsShut(t *testing.T) {
	script := Render(Snapshot{PodCIDR: "10.0.0.0/24", PodInterfaces: "veth", Pods: []Pod{web}})
	for chain, want := range map[string][]string{
		"forward": {
			"type filter hook forward priority filter; policy accept;",
			"ct state established,related accept",
			`iifname "veth*" meta nfproto ipv6 drop`,
			`iifname "veth*" ip saddr != @seen drop`,
			"ip saddr vmap @egress",
			"ip daddr 10.0.0.0/24 ip daddr != @seen drop",
			"ip daddr vmap @ingress",
		},
		"input": {
			"type filter hook input priority filter; policy accept;",
			"ct state established,related accept",
			`iifname "veth*" meta nfproto ipv6 drop`,
			`iifname "veth*" ip saddr != @seen drop`,
			"ip saddr vmap @egress",
		},
	} {
		if got, _ := rulesOf(t, script, chain); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", chain, got, want)
		}
	}
	if !strings.Contains(script, "elements = { 10.0.0.2 }") {
		t.Errorf("the known pod is missing:\n%s", script)
	}
}

func TestTheSameObjectsGiveTheSameRules(t *testing.T) {
	p := policy(t, "shop", `{podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]}`)
	render := func(pods ...Pod) string {
		return Render(Snapshot{PodCIDR: "10.0.0.0/24", PodInterfaces: "veth", Pods: pods, Namespaces: namespaces, Policies: []networkingv1.NetworkPolicy{p}})
	}
	if a, b := render(web, db, proxy), render(proxy, db, web); a != b {
		t.Errorf("another order of pods, other rules:\n%s\n%s", a, b)
	}
}
