// Command cluster runs a real single-node Kubernetes cluster for development and
// tests, in namespaces of its own: no container engine, nothing left on the host.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/hack/cluster/internal/dns"
	"github.com/sallyport/sallyport/hack/cluster/internal/enforce"
	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
	"github.com/sallyport/sallyport/hack/cluster/internal/sandbox"
)

const usage = `usage: cluster VERB [--name NAME] ...

  up                          start the cluster; a running one is left as it is
  down                        end it and remove every trace
  status                      say what runs
  env                         print addresses and paths as NAME=value lines
  kubeconfig                  print the path of the administrator's kubeconfig
  user NAME [--group G]...    print the path of a kubeconfig with a client certificate
  load-image FILE...          import docker archives
  postgres [start|stop|status]  a PostgreSQL next to the cluster
  ssh [start|stop|status]     an OpenSSH server next to the cluster
  volume NAME SIZE            an empty PersistentVolume; an old one of that name goes
  process [list|start|stop] [NAME]  stop a process of the cluster, start it again
  exec COMMAND...             run a command inside the cluster's namespaces

--name is "dev" unless given. All state is in one folder below
${XDG_STATE_HOME:-/var/lib}/sallyport.
`

// verb is one word of the command line. Flags have been parsed into it before it runs.
type verb func(ctx context.Context, c layout.Cluster, args []string) error

func main() {
	if err := run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	// Files that the caller left open are not for the cluster's processes.
	if err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("close inherited files: %w", err)
	}
	if filepath.Base(args[0]) == layout.PolicyPlugin {
		return enforce.Plugin(os.Stdin, os.Stdout)
	}
	if len(args) < 2 || strings.TrimLeft(args[1], "-") == "help" {
		fmt.Fprint(os.Stderr, usage)
		return flag.ErrHelp
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	flags := flag.NewFlagSet(args[1], flag.ContinueOnError)
	name := flags.String("name", "dev", "the cluster's name")
	action, err := find(args[1], flags)
	if err != nil {
		return err
	}
	operands, err := parse(flags, args[2:], args[1] == "exec")
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("run me as root: namespaces and mounts need it")
	}
	c, err := layout.New(*name)
	if err != nil {
		return err
	}
	return action(ctx, c, operands)
}

// find returns the verb and declares its own flags.
func find(word string, flags *flag.FlagSet) (verb, error) {
	switch word {
	case "up":
		return up, nil
	case "down":
		return down, nil
	case "status":
		return status, nil
	case "env":
		return printEnv, nil
	case "kubeconfig":
		return printKubeconfig, nil
	case "user":
		return user(flags), nil
	case "load-image":
		return loadImages, nil
	case "postgres":
		return postgresBeside.verb, nil
	case "ssh":
		return sshBeside.verb, nil
	case "volume":
		return volumeVerb, nil
	case "process":
		return processVerb, nil
	case "exec":
		return execVerb, nil
	case sandbox.SelfVerb:
		assets := flags.String("assets", "", "folder of control-plane binaries")
		return func(_ context.Context, c layout.Cluster, _ []string) error { return sandbox.Inside(c, *assets) }, nil
	case "enforce":
		return func(ctx context.Context, c layout.Cluster, _ []string) error { return enforce.Run(ctx, c) }, nil
	case "resolve":
		return func(ctx context.Context, c layout.Cluster, _ []string) error { return dns.Run(ctx, c) }, nil
	default:
		return nil, fmt.Errorf("unknown verb %q; see: cluster help", word)
	}
}

// parse reads flags before, between and after operands, unless the operands are
// another program's command line.
func parse(flags *flag.FlagSet, args []string, foreign bool) ([]string, error) {
	var operands []string
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if foreign || flags.NArg() == 0 {
			return append(operands, flags.Args()...), nil
		}
		operands = append(operands, flags.Arg(0))
		args = flags.Args()[1:]
	}
}
