package access

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/recording"
)

// completionTimeout keeps a shell from waiting for an API server that is away.
const completionTimeout = 3 * time.Second

// completeNames offers the requests of the namespace; nothing if they cannot be
// listed: a completion has nobody to tell.
func (p *plugin) completeNames(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), completionTimeout)
	defer cancel()
	api, namespace, err := p.factory.ClientIn()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	list := &v1alpha1.TaskAccessRequestList{}
	if err := api.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names := make([]string, 0, len(list.Items))
	for _, r := range list.Items {
		names = append(names, r.Name+"\t"+r.Spec.Task.ID+" on "+r.Spec.Target)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeSSHTargets offers the targets of the namespace that have an authority for
// certificates.
func (p *plugin) completeSSHTargets(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), completionTimeout)
	defer cancel()
	api, namespace, err := p.factory.ClientIn()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	list := &v1alpha1.AccessTargetList{}
	if err := api.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, target := range list.Items {
		if target.Spec.SSH != nil && target.Status.CertificateAuthority != "" {
			names = append(names, target.Name+"\t"+target.Spec.SSH.Host)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeSessions offers the sessions of the request that the line names so far.
func (p *plugin) completeSessions(source *recording.Source) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		from := *source
		if len(args) > 0 {
			from.Name = args[0]
		}
		if from.Validate("complete") != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), completionTimeout)
		defer cancel()
		opened, err := from.Open(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer func() { _ = opened.Close() }()
		var sessions []string
		for _, t := range opened.Tasks {
			// What cannot be listed has nothing to offer.
			found, _ := t.Sessions(ctx)
			sessions = append(sessions, found...)
		}
		return sessions, cobra.ShellCompDirectiveNoFileComp
	}
}
