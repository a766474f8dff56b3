package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
	"github.com/sallyport/sallyport/hack/cluster/internal/sandbox"
	"github.com/sallyport/sallyport/hack/cluster/internal/supervise"
)

func down(ctx context.Context, c layout.Cluster, _ []string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("not down after a minute"))
	defer cancel()
	unlock, err := c.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := sandbox.Remove(ctx, c); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "cluster %q is gone\n", c.Name)
	return nil
}

func status(ctx context.Context, c layout.Cluster, _ []string) error {
	record, err := c.Running()
	if err != nil {
		return err
	}
	fmt.Printf("cluster %q: supervisor is process %d, API server at https://127.0.0.1:%d, state in %s\n",
		c.Name, record.Supervisor.PID, record.Ports[layout.APIAddress], c.Dir)
	return listProcesses(ctx, c)
}

func listProcesses(ctx context.Context, c layout.Cluster) error {
	all, err := supervise.NewClient(c.Socket()).List(ctx)
	if err != nil {
		return err
	}
	for _, p := range all {
		fmt.Printf("%-24s %-8s %-18s %s\n", p.Name, p.State, p.End, p.Log)
	}
	return nil
}

func printKubeconfig(_ context.Context, c layout.Cluster, _ []string) error {
	if _, err := c.Running(); err != nil {
		return err
	}
	fmt.Println(c.Kubeconfig())
	return nil
}

// processVerb lets a test take a process away and give it back.
func processVerb(ctx context.Context, c layout.Cluster, args []string) error {
	if _, err := c.Running(); err != nil {
		return err
	}
	supervisor := supervise.NewClient(c.Socket())
	switch {
	case len(args) == 0, len(args) == 1 && args[0] == "list":
		return listProcesses(ctx, c)
	case len(args) == 2 && args[0] == "stop":
		_, err := supervisor.Stop(ctx, args[1])
		return err
	case len(args) == 2 && args[0] == "start":
		_, err := supervisor.Again(ctx, args[1])
		return err
	default:
		return errors.New("process: want list, stop NAME or start NAME")
	}
}

// execVerb becomes the command, so that terminal, signals and exit status are its own.
func execVerb(_ context.Context, c layout.Cluster, args []string) error {
	if len(args) == 0 {
		return errors.New("exec: want a command")
	}
	record, err := c.Running()
	if err != nil {
		return err
	}
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return err
	}
	environment := append(os.Environ(),
		"KUBECONFIG="+c.InsideKubeconfig(),
		"PATH="+layout.AssetsInside+":"+os.Getenv("PATH"),
		"CONTAINERD_ADDRESS="+layout.ContainerdSocket,
		"CONTAINERD_NAMESPACE="+layout.ContainerdSpace,
	)
	return syscall.Exec(nsenter, sandbox.EnterArgs(record, args...), environment)
}

func newClient(c layout.Cluster) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}
