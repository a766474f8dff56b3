package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
	"github.com/sallyport/sallyport/hack/cluster/internal/postgres"
)

var postgresBeside = beside{name: postgres.Name, prepare: postgres.Prepare, answers: acceptsLogin, info: postgres.InfoPath}

// acceptsLogin logs in with psql, as the first client.
func acceptsLogin(ctx context.Context, c layout.Cluster) error {
	info, _, err := postgres.Read(c)
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, "psql", "--no-psqlrc", "--quiet", "--command", "select 1",
		"--host", info.ForwardHost, "--port", strconv.Itoa(info.ForwardPort), "--username", info.User, info.Database)
	command.Env = append(os.Environ(), "PGPASSWORD="+info.Password, "PGSSLMODE=verify-full", "PGSSLROOTCERT="+info.CAFile)
	output, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("psql: %w: %s", err, output)
	}
	return nil
}
