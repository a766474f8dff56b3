package access

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
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
