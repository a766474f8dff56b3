package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
)

// isolateNetwork sets up the new network namespace. It has no link to the host
// and no default route: nothing in the cluster can send to the world.
func isolateNetwork(ctx context.Context) error {
	// A veth pair stands in for a network card; not every kernel has dummy devices.
	// The route lets the node's own processes reach Services, whose addresses
	// kube-proxy rewrites after routing.
	batch := strings.Join([]string{
		"link set lo up",
		"link add node0 type veth peer name node0-peer",
		"addr add " + layout.NodeIP + "/32 dev node0",
		"addr add " + layout.PostgresIP + "/32 dev node0",
		"addr add " + layout.SpareTargetIP + "/32 dev node0",
		"addr add " + layout.SSHIP + "/32 dev node0",
		"link set node0 up",
		"link set node0-peer up",
		"route add " + layout.ServiceCIDR + " dev node0 src " + layout.NodeIP,
	}, "\n")
	command := exec.CommandContext(ctx, "ip", "-batch", "-")
	command.Stdin = strings.NewReader(batch)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		return fmt.Errorf("ip: %w: %s", err, strings.TrimSpace(output.String()))
	}

	for path, value := range map[string]string{
		"net/ipv4/ip_forward": "1",
		// Policies are about IPv4; a link-local address would be a way around them.
		"net/ipv6/conf/all/disable_ipv6":     "1",
		"net/ipv6/conf/default/disable_ipv6": "1",
	} {
		if err := os.WriteFile("/proc/sys/"+path, []byte(value), 0o644); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("sysctl %s: %w", path, err)
		}
	}
	return nil
}
