// Package connect is kubectl access connect: a tunnel to the task's proxy, for any
// client.
package connect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/clientkey"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/login"
	"github.com/sallyport/sallyport/internal/cli/task"
	"github.com/sallyport/sallyport/internal/cli/terminal"
	"github.com/sallyport/sallyport/internal/record"
)

// Options of connect.
type Options struct {
	genericiooptions.IOStreams
	Factory *kube.Factory
	Keys    clientkey.Store

	Name, KeyFile string
	LocalPort     int
	Timeout       time.Duration

	client    client.WithWatch
	config    *rest.Config
	namespace string
}

// Complete connects.
func (o *Options) Complete() (err error) {
	if o.config, err = o.Factory.Config(); err != nil {
		return err
	}
	o.client, o.namespace, err = o.Factory.ClientIn()
	return err
}

// Validate refuses ports that are none.
func (o *Options) Validate() error {
	if o.LocalPort < 0 || o.LocalPort > 65535 {
		return errors.New("--local-port is from 1 to 65535, or 0 for any free one")
	}
	return nil
}

// Run keeps a tunnel open until you leave, or the task is over.
func (o *Options) Run(ctx context.Context) error {
	request, err := task.Find(ctx, o.client, o.namespace, o.Name)
	if err != nil {
		return err
	}
	key, err := login.Key(request, o.Keys, o.KeyFile)
	if err != nil {
		return err
	}
	in, err := login.Open(ctx, login.Plan{
		Client: o.client, Config: o.config, Request: request, Key: key, LocalPort: o.LocalPort, Timeout: o.Timeout,
		Progress: terminal.NewProgress(o.ErrOut), Report: o.report, Now: o.Factory.Now(),
	})
	if err != nil {
		return err
	}
	defer func() {
		if err := in.Close(); err != nil {
			o.report(err)
		}
	}()
	for _, line := range in.Lines() {
		fmt.Fprintln(o.Out, record.PrintableLine(line))
	}
	fmt.Fprintf(o.ErrOut, "Listening on 127.0.0.1:%d for %s. Connect %s; Ctrl-C ends it.\n", in.Tunnel.Port(), in.Request.Name, in.How())

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	over := make(chan error, 1)
	go func() {
		over <- o.follow(ctx, in.Request)
		stop()
	}()
	err = in.Tunnel.Serve(ctx)
	stop()
	return errors.Join(err, <-over)
}

// look is how often connect asks whether the task is over.
const look = 2 * time.Second

// follow returns when the task is over, or the context ends.
func (o *Options) follow(ctx context.Context, request *v1alpha1.TaskAccessRequest) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(look):
		}
		now := &v1alpha1.TaskAccessRequest{}
		err := o.client.Get(ctx, client.ObjectKeyFromObject(request), now)
		switch {
		case ctx.Err() != nil:
			return nil
		case client.IgnoreNotFound(err) != nil:
			o.report(err)
		case err != nil || now.UID != request.UID:
			return fmt.Errorf("%s is gone", request.Name)
		case task.Over(now):
			return fmt.Errorf("%s is over: %s", now.Name, task.End(now))
		}
	}
}

func (o *Options) report(err error) {
	fmt.Fprintln(o.ErrOut, record.PrintableLine("warning: "+err.Error()))
}
