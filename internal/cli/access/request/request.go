// Package request is kubectl access request.
package request

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/clientkey"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/task"
	"github.com/sallyport/sallyport/internal/cli/terminal"
)

// Options of request.
type Options struct {
	genericiooptions.IOStreams
	Factory *kube.Factory
	Keys    clientkey.Store

	Name                                                       string
	Task, Type, Target, URL, Reviewer, Reason, Policy, KeyFile string
	Duration                                                   time.Duration
	DryRun, Wait                                               bool
	Timeout                                                    time.Duration
	Output                                                     string

	client    client.WithWatch
	namespace string
}

// Complete names the request after its task, and connects.
func (o *Options) Complete() (err error) {
	if o.Name == "" {
		o.Name = nameOf(o.Task)
	}
	o.client, o.namespace, err = o.Factory.ClientIn()
	return err
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// nameOf makes a task's id a name of Kubernetes: PAY-1423 is pay-1423.
func nameOf(id string) string {
	name := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(id), "-"), "-")
	return strings.Trim(name[:min(len(name), 63)], "-")
}

// Validate says everything that is missing at once.
func (o *Options) Validate() error {
	var missing []string
	for _, flag := range []struct{ name, value string }{
		{"--task", o.Task}, {"--type", o.Type}, {"--target", o.Target}, {"--reason", o.Reason},
	} {
		if strings.TrimSpace(flag.value) == "" {
			missing = append(missing, flag.name)
		}
	}
	switch {
	case len(missing) > 0:
		return fmt.Errorf("required: %s", strings.Join(missing, ", "))
	case o.Duration < 5*time.Second || o.Duration > 24*time.Hour:
		return errors.New("--duration is from 5s to 24h")
	case o.Duration%time.Second != 0:
		return errors.New("--duration is in whole seconds")
	case o.DryRun && o.Wait:
		return errors.New("--dry-run makes nothing to --wait for")
	}
	return kube.ValidateOutput(o.Output)
}

// Run makes the request, with a key of its own.
func (o *Options) Run(ctx context.Context) error {
	key, err := o.key()
	if err != nil {
		return err
	}
	request, err := o.object(key)
	if err != nil {
		return err
	}
	if o.DryRun {
		return o.print(request)
	}
	if err := o.create(ctx, request); err != nil {
		if o.KeyFile == "" {
			err = errors.Join(err, o.Keys.Remove(request))
		}
		return err
	}
	if err := o.print(request); err != nil {
		return err
	}
	if o.Wait {
		return o.wait(ctx, request)
	}
	return o.tell(ctx, request)
}

// patience is how long a new request's first state is waited for.
const patience = 2 * time.Second

// tell says what happens next: a request that no policy serves should not look as if
// it were waiting for its review.
func (o *Options) tell(ctx context.Context, request *v1alpha1.TaskAccessRequest) error {
	say := func(*v1alpha1.TaskAccessRequest) string { return "waiting for the operator to look at it" }
	looked := func(r *v1alpha1.TaskAccessRequest) (bool, error) {
		return task.Unserved(r) != "" || r.Status.Review != "", nil
	}
	now, err := task.Until(ctx, o.client, request, patience, terminal.NewProgress(io.Discard), say, looked)
	if ctx.Err() != nil {
		return err
	}
	if why := task.Unserved(now); why != "" {
		fmt.Fprintf(o.ErrOut, "It cannot be served as it is: %s\n", why)
		return nil
	}
	// Not looked at in time is no failure: it is looked at when the operator is back.
	fmt.Fprintf(o.ErrOut, "It waits for its review now. You can connect already, and wait inside:\n  kubectl access %s %s -n %s\n", o.verb(ctx), request.Name, request.Namespace)
	return nil
}

func (o *Options) key() (crypto.Signer, error) {
	if o.KeyFile != "" {
		return clientkey.Load(o.KeyFile)
	}
	return o.Keys.Generate()
}

// object is the request without its requester, whom the API server stamps.
func (o *Options) object(key crypto.Signer) (*v1alpha1.TaskAccessRequest, error) {
	line, err := clientkey.Authorized(key, o.Name)
	if err != nil {
		return nil, err
	}
	request := &v1alpha1.TaskAccessRequest{Spec: v1alpha1.TaskAccessRequestSpec{
		Task:   v1alpha1.Task{ID: o.Task, Type: o.Type, URL: o.URL, Reviewer: o.Reviewer},
		Target: o.Target, Policy: o.Policy, Reason: o.Reason,
		DurationSeconds: int32(o.Duration / time.Second),
		ClientKeys:      []string{line},
	}}
	request.Namespace, request.Name = o.namespace, o.Name
	return request, nil
}

// create lets the API server stamp the requester. A cluster that cannot (without
// MutatingAdmissionPolicy) refuses a request without one, and is given the caller's
// own, which is all that it would take.
func (o *Options) create(ctx context.Context, request *v1alpha1.TaskAccessRequest) error {
	err := o.client.Create(ctx, request)
	if apierrors.HasStatusCause(err, metav1.CauseTypeFieldValueRequired) && strings.Contains(err.Error(), "spec.requester") {
		me, whoErr := kube.WhoAmI(ctx, o.client)
		if whoErr != nil {
			return whoErr
		}
		request.Spec.Requester = v1alpha1.Requester{Username: me.Username, UID: me.UID, Groups: me.Groups}
		err = o.client.Create(ctx, request)
	}
	if apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("request %s exists already in namespace %s: close or delete it, or give this one another name: kubectl access request NAME …", request.Name, request.Namespace)
	}
	return err
}

func (o *Options) print(request *v1alpha1.TaskAccessRequest) error {
	switch {
	case o.Output != "":
		return kube.Print(o.Out, o.client.Scheme(), o.Output, request)
	case o.DryRun:
		return kube.Print(o.Out, o.client.Scheme(), "yaml", request)
	}
	_, err := fmt.Fprintf(o.Out, "taskaccessrequest.%s/%s created\n", v1alpha1.GroupName, request.Name)
	return err
}

// wait shows how the request gets on until it is active, or over.
func (o *Options) wait(ctx context.Context, request *v1alpha1.TaskAccessRequest) error {
	say := func(r *v1alpha1.TaskAccessRequest) string {
		reason, message := task.State(r)
		return fmt.Sprintf("%s: %s", reason, message)
	}
	active := func(r *v1alpha1.TaskAccessRequest) (bool, error) {
		if task.Over(r) {
			return false, fmt.Errorf("%s is over: %s", r.Name, task.End(r))
		}
		reason, _ := task.State(r)
		return reason == v1alpha1.ReasonActive, nil
	}
	if _, err := task.Until(ctx, o.client, request, o.Timeout, terminal.NewProgress(o.ErrOut), say, active); err != nil {
		return err
	}
	_, err := fmt.Fprintf(o.Out, "%s is active: kubectl access %s %s -n %s\n", request.Name, o.verb(ctx), request.Name, request.Namespace)
	return err
}

// verb is the one that connects to the target; who may not read that is told of psql.
func (o *Options) verb(ctx context.Context) string {
	target := &v1alpha1.AccessTarget{}
	err := o.client.Get(ctx, client.ObjectKey{Namespace: o.namespace, Name: o.Target}, target)
	if err == nil && target.Spec.SSH != nil {
		return "ssh"
	}
	return "psql"
}
