package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
	"github.com/sallyport/sallyport/hack/cluster/internal/supervise"
)

// beside is a server next to the cluster, which somebody wants access to.
type beside struct {
	// name is the verb, and the process's name at the supervisor.
	name string
	// prepare makes what the server needs, unless it is there, and says how to start it.
	prepare func(ctx context.Context, c layout.Cluster, r layout.Record) (supervise.Spec, error)
	// answers has no error once the server serves.
	answers func(ctx context.Context, c layout.Cluster) error
	// info is the file with what a client needs.
	info func(c layout.Cluster) string
}

func (b beside) verb(ctx context.Context, c layout.Cluster, args []string) error {
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
		return b.start(ctx, c, record, supervisor)
	case "stop":
		_, err := supervisor.Stop(ctx, b.name)
		return err
	case "status":
		status, found, err := supervisor.Find(ctx, b.name)
		if err == nil && !found {
			status.State = "never started"
		}
		fmt.Println(status.State)
		return err
	default:
		return fmt.Errorf("%s: want start, stop or status", b.name)
	}
}

func (b beside) start(ctx context.Context, c layout.Cluster, record layout.Record, supervisor *supervise.Client) error {
	unlock, err := c.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	spec, err := b.prepare(ctx, c, record)
	if err != nil {
		return err
	}
	if _, err := supervisor.Start(ctx, spec); err != nil {
		return err
	}
	hasEnded := func(ctx context.Context) error {
		now, _, err := supervisor.Find(ctx, b.name)
		if err == nil && now.State == supervise.Exited {
			err = fmt.Errorf("it ended: %s", now.End)
		}
		return err
	}
	answers := func(ctx context.Context) error { return b.answers(ctx, c) }
	if err := until(ctx, 30*time.Second, answers, hasEnded); err != nil {
		return fmt.Errorf("%s: %w; read %s", b.name, err, spec.Log)
	}
	if err := writeEnv(c, record); err != nil {
		return err
	}
	fmt.Println(b.info(c))
	return nil
}
