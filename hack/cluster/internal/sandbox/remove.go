package sandbox

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
)

// Remove ends the cluster, whatever state it is in, and removes every trace:
// process 1 takes all processes, mounts and the network with it.
func Remove(ctx context.Context, c layout.Cluster) error {
	// Without a record that can be read, the cgroups still know every process.
	if record, found, err := c.Load(); err == nil && found {
		if err := record.Supervisor.Kill(ctx); err != nil {
			return err
		}
	}
	if err := killMembers(ctx, c); err != nil {
		return err
	}
	if err := removeCgroups(ctx, c); err != nil {
		return err
	}
	// Only the cluster's own namespace mounts anything below; to delete through a
	// mount that somebody else made would delete what is not ours.
	mounted, err := mountsBelow(c.Dir)
	if err != nil {
		return err
	}
	if len(mounted) > 0 {
		return fmt.Errorf("not deleting %s: something is mounted at %v", c.Dir, mounted)
	}
	if err := os.RemoveAll(c.Dir); err != nil {
		return err
	}
	// The folder of all clusters goes with the last one.
	_ = os.Remove(layout.Root())
	return nil
}

func mountsBelow(dir string) ([]string, error) {
	file, err := os.Open("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	var below []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 1 && strings.HasPrefix(fields[1]+"/", dir+"/") {
			below = append(below, fields[1])
		}
	}
	return below, lines.Err()
}
