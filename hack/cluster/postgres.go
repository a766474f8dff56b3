package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
	"github.com/sallyport/sallyport/hack/cluster/internal/postgres"
	"github.com/sallyport/sallyport/hack/cluster/internal/supervise"
)

func postgresVerb(ctx context.Context, c layout.Cluster, args []string) error {
	record, err := c.Running()
	if err != nil {
		return err
	}
	word := "start"
	if len(args) > 0 {
		word = args[0]
	}
	supervisor := supervise.NewClient(c.Socket())
	switch word {
	case "start":
		return startPostgres(ctx, c, record, supervisor)
	case "stop":
		_, err := supervisor.Stop(ctx, postgres.Name)
		return err
	case "status":
		status, found, err := supervisor.Find(ctx, postgres.Name)
		if err == nil && !found {
			status.State = "never started"
		}
		fmt.Println(status.State)
		return err
	default:
		return errors.New("postgres: want start, stop or status")
	}
}

func startPostgres(ctx context.Context, c layout.Cluster, record layout.Record, supervisor *supervise.Client) error {
	unlock, err := c.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	spec, err := postgres.Prepare(ctx, c, record)
	if err != nil {
		return err
	}
	if _, err := supervisor.Start(ctx, spec); err != nil {
		return err
	}
	info, _, err := postgres.Read(c)
	if err != nil {
		return err
	}
	hasEnded := func(ctx context.Context) error {
		now, _, err := supervisor.Find(ctx, postgres.Name)
		if err == nil && now.State == supervise.Exited {
			err = fmt.Errorf("it ended: %s", now.End)
		}
		return err
	}
	answers := func(ctx context.Context) error { return acceptsLogin(ctx, info) }
	if err := until(ctx, 30*time.Second, answers, hasEnded); err != nil {
		return fmt.Errorf("postgres: %w; read %s", err, spec.Log)
	}
	if err := writeEnv(c, record); err != nil {
		return err
	}
	fmt.Println(c.Path("postgres", "postgres.json"))
	return nil
}

// acceptsLogin logs in with psql, as the first client.
func acceptsLogin(ctx context.Context, info postgres.Info) error {
	command := exec.CommandContext(ctx, "psql", "--no-psqlrc", "--quiet", "--command", "select 1",
		"--host", info.ForwardHost, "--port", strconv.Itoa(info.ForwardPort), "--username", info.User, info.Database)
	command.Env = append(os.Environ(), "PGPASSWORD="+info.Password, "PGSSLMODE=verify-full", "PGSSLROOTCERT="+info.CAFile)
	output, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("psql: %w: %s", err, output)
	}
	return nil
}
