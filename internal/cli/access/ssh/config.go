package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/sallyport/sallyport/internal/cli/clientkey"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/login"
)

// Config is kubectl access ssh-config: blocks for ~/.ssh/config.
type Config struct {
	access
	Names []string
	// Flags of kubectl that the ProxyCommand repeats: --name=value.
	Flags []string
}

// NewConfig has the streams, the cluster and the keys of the verb.
func NewConfig(streams genericiooptions.IOStreams, factory *kube.Factory, keys clientkey.Store) *Config {
	return &Config{access: access{IOStreams: streams, Factory: factory, Keys: keys}}
}

// Complete connects.
func (c *Config) Complete() error { return c.connect() }

// Validate refuses what must not stand in a file.
func (c *Config) Validate() error {
	for _, flag := range c.Flags {
		if strings.HasPrefix(flag, "--token=") {
			return errors.New("a --token does not belong in a file: leave it out, and name a --context")
		}
		if strings.ContainsAny(flag, "\r\n") {
			return errors.New("a flag with a line break cannot stand in a file")
		}
	}
	return nil
}

// Run prints a block for each request, once its proxy listens, and keeps the files that
// it names beside the request's key.
func (c *Config) Run(ctx context.Context) error {
	for i, name := range c.Names {
		block, err := c.block(ctx, name)
		if err != nil {
			return err
		}
		if i > 0 {
			block = "\n" + block
		}
		if _, err := io.WriteString(c.Out, block); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) block(ctx context.Context, name string) (string, error) {
	plan, err := c.plan(ctx, name)
	if err != nil {
		return "", err
	}
	r, err := login.Await(ctx, plan)
	if err != nil {
		return "", err
	}
	host := login.Host{ProxyCommand: c.command(r.Name)}
	known, err := host.Of(r, c.User)
	if err != nil {
		return "", err
	}
	if host.Identity, host.KnownHosts, err = c.Keys.ForSSH(plan.Key, r, known); err != nil {
		return "", err
	}
	return host.Block()
}

// command is what ssh hands to the user's shell, after % stands for something of its own.
func (c *Config) command(name string) string {
	words := []string{"kubectl", "access", "proxy-command", name, shellWord("--namespace=" + c.namespace)}
	for _, flag := range c.Flags {
		words = append(words, shellWord(flag))
	}
	return strings.ReplaceAll(strings.Join(words, " "), "%", "%%")
}

const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./:@,+"

func shellWord(word string) string {
	if strings.Trim(word, plain) == "" {
		return word
	}
	return fmt.Sprintf("'%s'", strings.ReplaceAll(word, "'", `'\''`))
}
