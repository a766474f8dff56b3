// Package access is the plugin kubectl access.
package access

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/sallyport/sallyport/internal/cli/access/closing"
	"github.com/sallyport/sallyport/internal/cli/access/connect"
	"github.com/sallyport/sallyport/internal/cli/access/list"
	"github.com/sallyport/sallyport/internal/cli/access/psql"
	"github.com/sallyport/sallyport/internal/cli/access/request"
	"github.com/sallyport/sallyport/internal/cli/access/show"
	"github.com/sallyport/sallyport/internal/cli/clientkey"
	"github.com/sallyport/sallyport/internal/cli/kube"
)

// plugin is what every verb is made of.
type plugin struct {
	genericiooptions.IOStreams
	factory *kube.Factory
	keys    clientkey.Store
}

// NewCommand is kubectl access with its verbs.
func NewCommand(
	flags *genericclioptions.ConfigFlags, factory *kube.Factory, keys clientkey.Store, streams genericiooptions.IOStreams,
) *cobra.Command {
	p := &plugin{IOStreams: streams, factory: factory, keys: keys}
	root := &cobra.Command{
		Use:   "access",
		Short: "Ask for access to a target for one task, and use it",
		Example: `  # Ask, and connect while it is reviewed
  kubectl access request --task PAY-1423 --type read --target orders --reason "customer 4711 sees the wrong total"
  kubectl access psql pay-1423

  # Close it, and see the proof that nothing is left
  kubectl access close pay-1423 --wait
  kubectl access replay pay-1423`,
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl access"},
	}
	flags.AddFlags(root.PersistentFlags())
	root.AddCommand(
		p.request(), p.list(), p.show(), p.psql(), p.ssh(), p.scp(), p.sftp(), p.connect(), p.close(),
		p.proxyCommand(), p.sshConfig(flags), p.krl(),
		p.sessions(), p.replay(), p.tail(), p.search(), p.verify(), p.export(), p.evidence(),
		kube.CompletionCommand("access", streams.Out),
	)
	root.CompletionOptions.DisableDefaultCmd = true
	return root
}

// verb is the life of every verb.
type verb interface {
	Complete() error
	Validate() error
	Run(ctx context.Context) error
}

// run checks what needs no cluster before it is asked.
func run(c *cobra.Command, v verb) error {
	if err := v.Validate(); err != nil {
		return err
	}
	if err := v.Complete(); err != nil {
		return err
	}
	return v.Run(c.Context())
}

const (
	outputHelp  = "Output format: json, yaml or name."
	timeoutHelp = "How long to wait."
	keyHelp     = "Private key to prove yourself with, instead of the one that was made with the request."
)

func (p *plugin) request() *cobra.Command {
	o := &request.Options{IOStreams: p.IOStreams, Factory: p.factory, Keys: p.keys}
	c := &cobra.Command{
		Use: "request [NAME]", Short: "Ask for access for a task", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.Name = args[0]
			}
			return run(c, o)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	f := c.Flags()
	f.StringVar(&o.Task, "task", "", "The task's id in your tracker: PAY-1423.")
	f.StringVar(&o.Type, "type", "", "The task's type, which decides the policies that may serve it: read.")
	f.StringVar(&o.Target, "target", "", "The AccessTarget.")
	f.StringVar(&o.URL, "url", "", "Where the task is in your tracker.")
	f.StringVar(&o.Reviewer, "reviewer", "", "Username of the task's reviewer.")
	f.StringVar(&o.Reason, "reason", "", "What the reviewers read.")
	f.DurationVar(&o.Duration, "duration", 30*time.Minute, "How long you need it, from the grant on.")
	f.StringVar(&o.Policy, "policy", "", "The AccessPolicy, if several would serve the task.")
	f.StringVar(&o.KeyFile, "key", "", "Private key to prove yourself with, instead of one made for this request.")
	f.BoolVar(&o.DryRun, "dry-run", false, "Print the request, for kubectl apply, and make only its key.")
	f.BoolVar(&o.Wait, "wait", false, "Wait until it is active.")
	f.DurationVar(&o.Timeout, "timeout", time.Hour, timeoutHelp)
	f.StringVarP(&o.Output, "output", "o", "", outputHelp)
	return c
}

func (p *plugin) list() *cobra.Command {
	o := &list.Options{IOStreams: p.IOStreams, Factory: p.factory}
	c := &cobra.Command{
		Use: "list", Short: "List requests", Aliases: []string{"ls"}, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return run(c, o) },
	}
	c.Flags().BoolVarP(&o.AllNamespaces, "all-namespaces", "A", false, "Look in all namespaces.")
	c.Flags().BoolVar(&o.Mine, "mine", false, "Only your own.")
	c.Flags().StringVarP(&o.Output, "output", "o", "", outputHelp)
	return c
}

func (p *plugin) show() *cobra.Command {
	o := &show.Options{IOStreams: p.IOStreams, Factory: p.factory}
	c := p.named("show NAME", "Print a request and how it stands", &o.Name, o)
	c.Flags().StringVarP(&o.Output, "output", "o", "", outputHelp)
	return c
}

func (p *plugin) psql() *cobra.Command {
	o := &psql.Options{IOStreams: p.IOStreams, Factory: p.factory, Keys: p.keys, Program: "psql"}
	c := &cobra.Command{
		Use: "psql NAME [-- PSQL-ARGUMENTS]", Short: "Run psql through the task's proxy",
		Example: `  kubectl access psql pay-1423
  kubectl access psql pay-1423 -- -c "select count(*) from orders"`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := kube.OneName(c, args[:min(len(args), 1)]); err != nil {
				return err
			}
			o.Name, o.Arguments = args[0], args[1:]
			return run(c, o)
		},
		ValidArgsFunction: p.completeNames,
	}
	c.Flags().StringVar(&o.KeyFile, "key", "", keyHelp)
	c.Flags().DurationVar(&o.Timeout, "timeout", listenTimeout, listenHelp)
	return c
}

func (p *plugin) connect() *cobra.Command {
	o := &connect.Options{IOStreams: p.IOStreams, Factory: p.factory, Keys: p.keys}
	c := p.named("connect NAME", "Keep a tunnel to the task's proxy open, for any client", &o.Name, o)
	c.Flags().IntVar(&o.LocalPort, "local-port", 0, "Local port; 0 is any free one.")
	c.Flags().StringVar(&o.KeyFile, "key", "", keyHelp)
	c.Flags().DurationVar(&o.Timeout, "timeout", listenTimeout, listenHelp)
	return c
}

func (p *plugin) close() *cobra.Command {
	o := &closing.Options{IOStreams: p.IOStreams, Factory: p.factory, Keys: p.keys}
	c := p.named("close NAME", "Close a request: its sessions end at once, its credential is removed", &o.Name, o)
	c.Flags().BoolVar(&o.Wait, "wait", false, "Wait for the proof that nothing is left on the target.")
	c.Flags().DurationVar(&o.Timeout, "timeout", 2*time.Minute, timeoutHelp)
	return c
}

// named is a verb with one argument, a request's name.
func (p *plugin) named(use, short string, name *string, v verb) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: kube.OneName,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				*name = args[0]
			}
			return run(c, v)
		},
		ValidArgsFunction: p.completeNames,
	}
}
