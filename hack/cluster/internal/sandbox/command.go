package sandbox

import (
	"context"
	"os/exec"
	"strconv"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
)

// EnterArgs is the command line that runs another one inside the cluster.
func EnterArgs(r layout.Record, args ...string) []string {
	enter := []string{
		"nsenter", "--target", strconv.Itoa(r.Supervisor.PID),
		"--mount", "--net", "--pid", "--uts", "--ipc", "--",
	}
	return append(enter, args...)
}

// Command prepares a command to run inside the cluster.
func Command(ctx context.Context, r layout.Record, args ...string) *exec.Cmd {
	full := EnterArgs(r, args...)
	return exec.CommandContext(ctx, full[0], full[1:]...)
}
