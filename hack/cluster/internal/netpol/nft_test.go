package netpol

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
)

// The kernel's own word on the syntax, in a network namespace that ends with the command.
func TestNftTakesTheRules(t *testing.T) {
	nft, err := exec.LookPath("nft")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("needs nft and root")
	}
	script := Render(Snapshot{
		PodCIDR: "10.0.0.0/24", PodInterfaces: "veth", Pods: []Pod{web, db, proxy}, Namespaces: namespaces,
		Policies: []networkingv1.NetworkPolicy{
			policy(t, "shop", `{podSelector: {}, policyTypes: [Ingress, Egress],
				ingress: [{from: [{podSelector: {}}], ports: [{port: sql}, {port: 1, endPort: 9}]}, {ports: [{protocol: SCTP}]}],
				egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.90.0.0/24]}}]}, {to: [{namespaceSelector: {}}], ports: [{port: sql}]}]}`),
			policy(t, "proxies", `{podSelector: {}, policyTypes: [Egress], egress: [{}]}`),
		},
	})
	for _, text := range []string{script, script + script, Render(Snapshot{PodCIDR: "10.0.0.0/24", PodInterfaces: "veth"})} {
		command := exec.Command(nft, "-f", "-")
		command.Stdin = strings.NewReader(text + "list table inet " + Table + "\n")
		command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s\n%s", err, output, text)
		}
	}
}
