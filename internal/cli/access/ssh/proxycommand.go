package ssh

import (
	"context"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/sallyport/sallyport/internal/cli/clientkey"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/login"
	"github.com/sallyport/sallyport/internal/cli/task"
	"github.com/sallyport/sallyport/internal/cli/terminal"
)

// ProxyCommand is kubectl access proxy-command: standard input and output are one
// connection to the task's proxy.
type ProxyCommand struct {
	access
	Name string
}

// NewProxyCommand has the streams and the cluster of the verb.
func NewProxyCommand(streams genericiooptions.IOStreams, factory *kube.Factory, keys clientkey.Store) *ProxyCommand {
	return &ProxyCommand{access: access{IOStreams: streams, Factory: factory, Keys: keys}}
}

// Complete connects.
func (p *ProxyCommand) Complete() error { return p.connect() }

// Validate has nothing to refuse.
func (*ProxyCommand) Validate() error { return nil }

// Run carries the connection. Who proves what to whom is the program's that runs it.
func (p *ProxyCommand) Run(ctx context.Context) error {
	request, err := task.Find(ctx, p.client, p.namespace, p.Name)
	if err != nil {
		return err
	}
	return login.Pipe(ctx, login.Plan{
		Client: p.client, Config: p.config, Request: request, Timeout: p.Timeout, Progress: terminal.NewProgress(p.ErrOut),
	}, standard(p.In, p.Out))
}
