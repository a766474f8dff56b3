// Package list is kubectl access list.
package list

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/review"
	"github.com/sallyport/sallyport/internal/cli/task"
	"github.com/sallyport/sallyport/internal/cli/terminal"
)

// Options of list.
type Options struct {
	genericiooptions.IOStreams
	Factory *kube.Factory

	AllNamespaces, Mine bool
	Output              string

	client    client.WithWatch
	namespace string
}

// Complete connects.
func (o *Options) Complete() (err error) {
	o.client, o.namespace, err = o.Factory.ClientIn()
	if o.AllNamespaces {
		o.namespace = ""
	}
	return err
}

// Validate refuses unknown formats.
func (o *Options) Validate() error { return kube.ValidateOutput(o.Output) }

// Run prints the requests, the newest first.
func (o *Options) Run(ctx context.Context) error {
	found := &v1alpha1.TaskAccessRequestList{}
	if err := o.client.List(ctx, found, client.InNamespace(o.namespace)); err != nil {
		return err
	}
	requests := found.Items
	if o.Mine {
		me, err := kube.WhoAmI(ctx, o.client)
		if err != nil {
			return err
		}
		requests = slices.DeleteFunc(requests, func(r v1alpha1.TaskAccessRequest) bool { return r.Spec.Requester.Username != me.Username })
	}
	slices.SortStableFunc(requests, func(a, b v1alpha1.TaskAccessRequest) int {
		if c := b.CreationTimestamp.Compare(a.CreationTimestamp.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	if o.Output != "" {
		return kube.PrintList(o.Out, o.client.Scheme(), o.Output, requests)
	}
	if len(requests) == 0 {
		_, err := fmt.Fprintln(o.ErrOut, "No requests found.")
		return err
	}
	return o.table(requests)
}

func (o *Options) table(requests []v1alpha1.TaskAccessRequest) error {
	headers := []string{"NAME", "TASK", "REQUESTER", "TARGET", "STATE", "LEFT"}
	if o.AllNamespaces {
		headers = append([]string{"NAMESPACE"}, headers...)
	}
	table := terminal.NewTable(o.Out, headers...)
	for i := range requests {
		r := &requests[i]
		state, _ := task.State(r)
		left := ""
		if r.Status.ExpiresAt != nil && !task.Over(r) {
			left = review.Left(r.Status.ExpiresAt.Time, o.Factory.Now())
		}
		cells := []string{r.Name, r.Spec.Task.ID, r.Spec.Requester.Username, r.Spec.Target, state, left}
		if o.AllNamespaces {
			cells = append([]string{r.Namespace}, cells...)
		}
		table.Row(cells...)
	}
	return table.Flush()
}
