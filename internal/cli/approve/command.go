// Package approve is the plugin kubectl approve.
package approve

import (
	"context"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/approve/decide"
	"github.com/sallyport/sallyport/internal/cli/approve/inbox"
	"github.com/sallyport/sallyport/internal/cli/approve/show"
	"github.com/sallyport/sallyport/internal/cli/kube"
)

// NewCommand is kubectl approve with its verbs.
func NewCommand(flags *genericclioptions.ConfigFlags, factory *kube.Factory, streams genericiooptions.IOStreams) *cobra.Command {
	box := &inbox.Options{IOStreams: streams, Factory: factory}
	yes := &decide.Options{IOStreams: streams, Factory: factory, Verdict: v1alpha1.VerdictApprove}
	root := &cobra.Command{
		Use:   "approve [NAME]",
		Short: "Review requests for access",
		Long: "Review requests for access. Without a name: the reviews that wait for you. With one, the name of a\n" +
			"request or a review or a task's id: approve it.",
		Example: `  # What waits for you, and what it asks
  kubectl approve
  kubectl approve show pay-1423

  # Answer
  kubectl approve pay-1423 -m "looks right"
  kubectl approve deny pay-1423 -m "use the replica"`,
		Args:        cobra.MaximumNArgs(1),
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl approve"},
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return run(c.Context(), box.Complete, box.Validate, box.Run)
			}
			yes.Name = args[0]
			return run(c.Context(), connect(yes.Complete), yes.Validate, yes.Run)
		},
		ValidArgsFunction: completeNames(factory),
	}
	flags.AddFlags(root.PersistentFlags())
	root.Flags().StringVarP(&yes.Message, "message", "m", "", "What the requester reads.")
	root.Flags().BoolVarP(&box.AllNamespaces, "all-namespaces", "A", false, "Look in all namespaces.")
	root.Flags().BoolVarP(&box.Watch, "watch", "w", false, "Go on, and print what comes to wait for you.")
	root.Flags().StringVarP(&box.Output, "output", "o", "", "Output format: json, yaml or name.")
	root.AddCommand(newShow(factory, streams), newDeny(factory, streams), kube.CompletionCommand("approve", streams.Out))
	root.CompletionOptions.DisableDefaultCmd = true
	return root
}

func newShow(factory *kube.Factory, streams genericiooptions.IOStreams) *cobra.Command {
	o := &show.Options{IOStreams: streams, Factory: factory}
	command := &cobra.Command{
		Use: "show NAME", Short: "Print the whole question", Args: kube.OneName,
		RunE: func(c *cobra.Command, args []string) error {
			o.Name = args[0]
			return run(c.Context(), connect(o.Complete), o.Validate, o.Run)
		},
		ValidArgsFunction: completeNames(factory),
	}
	command.Flags().StringVarP(&o.Output, "output", "o", "", "Output format: json, yaml or name.")
	return command
}

func newDeny(factory *kube.Factory, streams genericiooptions.IOStreams) *cobra.Command {
	o := &decide.Options{IOStreams: streams, Factory: factory, Verdict: v1alpha1.VerdictDeny}
	command := &cobra.Command{
		Use: `deny NAME -m "reason"`, Short: "Deny a request, and say why", Args: kube.OneName,
		RunE: func(c *cobra.Command, args []string) error {
			o.Name = args[0]
			return run(c.Context(), connect(o.Complete), o.Validate, o.Run)
		},
		ValidArgsFunction: completeNames(factory),
	}
	command.Flags().StringVarP(&o.Message, "message", "m", "", "What the requester reads; required.")
	return command
}

// connect is a Complete that needs no context.
func connect(complete func() error) func(context.Context) error {
	return func(context.Context) error { return complete() }
}

// run is the life of every verb. What needs no cluster is checked before it is asked.
func run(ctx context.Context, complete func(context.Context) error, validate func() error, do func(context.Context) error) error {
	if err := validate(); err != nil {
		return err
	}
	if err := complete(ctx); err != nil {
		return err
	}
	return do(ctx)
}

// completeNames offers the requests under review.
func completeNames(factory *kube.Factory) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return reviewed(c.Context(), factory), cobra.ShellCompDirectiveNoFileComp
	}
}
