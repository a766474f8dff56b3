// Package psql is kubectl access psql: the real psql, through the task's proxy.
package psql

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/clientkey"
	"github.com/sallyport/sallyport/internal/cli/foreground"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/login"
	"github.com/sallyport/sallyport/internal/cli/task"
	"github.com/sallyport/sallyport/internal/cli/terminal"
	"github.com/sallyport/sallyport/internal/record"
)

// Options of psql.
type Options struct {
	genericiooptions.IOStreams
	Factory *kube.Factory
	Keys    clientkey.Store

	Name, KeyFile string
	Arguments     []string
	Timeout       time.Duration
	// Program is psql, found on PATH.
	Program string

	client    client.WithWatch
	config    *rest.Config
	namespace string
}

// Complete connects, and finds psql before anything is waited for.
func (o *Options) Complete() (err error) {
	if o.Program, err = exec.LookPath(o.Program); err != nil {
		return errors.New("psql is not on your PATH: install PostgreSQL's client, or use another one with kubectl access connect " + o.Name)
	}
	if o.config, err = o.Factory.Config(); err != nil {
		return err
	}
	o.client, o.namespace, err = o.Factory.ClientIn()
	return err
}

// Validate has nothing to refuse: psql judges its own arguments.
func (*Options) Validate() error { return nil }

// Run opens a way in, and runs psql on it.
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
		Client: o.client, Config: o.config, Request: request, Key: key, Timeout: o.Timeout,
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
	if in.Request.Status.Endpoint.HostKey != "" {
		return fmt.Errorf("%s is for an SSH server: kubectl access ssh %s", in.Request.Name, in.Request.Name)
	}
	if reason, message := task.State(in.Request); reason != v1alpha1.ReasonActive {
		fmt.Fprintln(o.ErrOut, record.PrintableLine(fmt.Sprintf("%s: %s; psql goes on by itself when it is approved", reason, message)))
	}
	// psql, not Ctrl-C, ends this: it cancels a query, and the tunnel must stay.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- in.Tunnel.Serve(serving) }()
	err = foreground.Run(o.IOStreams, o.Program, append([]string{"--dbname=" + in.Conninfo()}, o.Arguments...)...)
	stop()
	return errors.Join(err, <-served)
}

func (o *Options) report(err error) {
	fmt.Fprintln(o.ErrOut, record.PrintableLine("warning: "+err.Error()))
}
