// Package closing is kubectl access close.
package closing

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/clientkey"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/task"
	"github.com/sallyport/sallyport/internal/cli/terminal"
	"github.com/sallyport/sallyport/internal/record"
)

// Options of close.
type Options struct {
	genericiooptions.IOStreams
	Factory *kube.Factory
	Keys    clientkey.Store

	Name    string
	Wait    bool
	Timeout time.Duration

	client    client.WithWatch
	namespace string
}

// Complete connects.
func (o *Options) Complete() (err error) {
	o.client, o.namespace, err = o.Factory.ClientIn()
	return err
}

// Validate has nothing to refuse.
func (*Options) Validate() error { return nil }

// Run closes the request, for good.
func (o *Options) Run(ctx context.Context) error {
	r, err := task.Find(ctx, o.client, o.namespace, o.Name)
	if err != nil {
		return err
	}
	if r.Spec.State != v1alpha1.StateClosed {
		patch, err := closed(r)
		if err != nil {
			return err
		}
		if err := o.client.Patch(ctx, r, patch); err != nil {
			return err
		}
		fmt.Fprintf(o.Out, "taskaccessrequest.%s/%s closed\n", v1alpha1.GroupName, r.Name)
	}
	// The key opens nothing any more. One that was not made here is not ours to remove.
	if err := o.Keys.Remove(r); err != nil {
		fmt.Fprintln(o.ErrOut, "warning: the client key is still there:", err)
	}
	if !o.Wait {
		return nil
	}
	return o.wait(ctx, r)
}

// closed is the patch that closes a request, and no other of its name.
func closed(r *v1alpha1.TaskAccessRequest) (client.Patch, error) {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": r.UID},
		"spec":     map[string]any{"state": v1alpha1.StateClosed},
	})
	return client.RawPatch(types.MergePatchType, patch), err
}

// wait shows the teardown until the target has proved it.
func (o *Options) wait(ctx context.Context, r *v1alpha1.TaskAccessRequest) error {
	say := func(r *v1alpha1.TaskAccessRequest) string {
		reason, message := task.State(r)
		return fmt.Sprintf("%s: %s", reason, message)
	}
	gone := func(r *v1alpha1.TaskAccessRequest) (bool, error) { return r.Status.ClosedAt != nil, nil }
	r, err := task.Until(ctx, o.client, r, o.Timeout, terminal.NewProgress(o.ErrOut), say, gone)
	if err != nil {
		return err
	}
	evidence := "no evidence"
	if t := r.Status.Teardown; t != nil {
		evidence = t.Message
		if !t.Proved {
			evidence = "NOT PROVED: " + evidence
		}
	}
	_, err = fmt.Fprintf(o.Out, "%s is closed: %s\n", r.Name, record.PrintableLine(evidence))
	return err
}
