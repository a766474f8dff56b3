// Package ssh is kubectl access ssh, scp and sftp: OpenSSH's own clients, through the
// task's proxy; and what lets other programs go the same way.
package ssh

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
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

// access is what every verb of this package needs.
type access struct {
	genericiooptions.IOStreams
	Factory *kube.Factory
	Keys    clientkey.Store

	// User is a login of the request; its first, if empty.
	User, KeyFile string
	Timeout       time.Duration

	client    client.WithWatch
	config    *rest.Config
	namespace string
}

func (a *access) connect() (err error) {
	if a.config, err = a.Factory.Config(); err != nil {
		return err
	}
	a.client, a.namespace, err = a.Factory.ClientIn()
	return err
}

// plan finds the request, and its key.
func (a *access) plan(ctx context.Context, name string) (login.Plan, error) {
	request, err := task.Find(ctx, a.client, a.namespace, name)
	if err != nil {
		return login.Plan{}, err
	}
	key, err := login.Key(request, a.Keys, a.KeyFile)
	return login.Plan{
		Client: a.client, Config: a.config, Request: request, Key: key, User: a.User, Timeout: a.Timeout,
		Progress: terminal.NewProgress(a.ErrOut), Report: a.report, Now: a.Factory.Now(),
	}, err
}

func (a *access) report(err error) {
	fmt.Fprintln(a.ErrOut, record.PrintableLine("warning: "+err.Error()))
}

// Options of ssh, scp and sftp.
type Options struct {
	access
	Name      string
	Arguments []string
	// Program is ssh, scp or sftp; tests have their own.
	Program string

	path string
}

// New has the streams, the cluster and the keys of a verb.
func New(streams genericiooptions.IOStreams, factory *kube.Factory, keys clientkey.Store, program string) *Options {
	return &Options{access: access{IOStreams: streams, Factory: factory, Keys: keys}, Program: program}
}

// Complete connects, and finds the program before anything is waited for.
func (o *Options) Complete() (err error) {
	if o.path, err = exec.LookPath(o.Program); err != nil {
		return fmt.Errorf("%s is not on your PATH: install OpenSSH's client, or use another one with kubectl access ssh-config %s", o.Program, o.Name)
	}
	return o.connect()
}

// Validate has nothing to refuse: the programs judge their own arguments.
func (*Options) Validate() error { return nil }

// Run opens a way in, and runs the program on it.
func (o *Options) Run(ctx context.Context) error {
	plan, err := o.plan(ctx, o.Name)
	if err != nil {
		return err
	}
	in, err := login.Open(ctx, plan)
	if err != nil {
		return err
	}
	defer func() {
		if err := in.Close(); err != nil {
			o.report(err)
		}
	}()
	if in.Request.Status.Endpoint.HostKey == "" {
		return fmt.Errorf("%s: %w", in.Request.Name, login.ErrNotSSH)
	}
	if reason, message := task.State(in.Request); reason != v1alpha1.ReasonActive {
		fmt.Fprintln(o.ErrOut, record.PrintableLine(fmt.Sprintf("%s: %s; %s goes on by itself when it is approved", reason, message, o.Program)))
	}
	// The program, not Ctrl-C, ends this.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- in.Tunnel.Serve(serving) }()
	err = foreground.Run(o.IOStreams, o.path, append([]string{"-F", in.Config()}, o.arguments(in.Request.Name)...)...)
	stop()
	return errors.Join(err, <-served)
}

// arguments are the program's, with the host where it wants it. `:path` is a path of the
// host.
func (o *Options) arguments(host string) []string {
	if o.Program == "ssh" {
		// ssh reads options behind the host as well as before it.
		return append([]string{host}, o.Arguments...)
	}
	var out []string
	named := false
	for _, argument := range o.Arguments {
		if strings.HasPrefix(argument, ":") {
			argument = host + argument
		}
		named = named || strings.HasPrefix(argument, host+":") || strings.Contains(argument, "@"+host+":")
		out = append(out, argument)
	}
	if o.Program == "sftp" && !named {
		out = append(out, host)
	}
	return out
}
