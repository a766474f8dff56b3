package access

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/sallyport/sallyport/internal/cli/access/krl"
	"github.com/sallyport/sallyport/internal/cli/access/ssh"
	"github.com/sallyport/sallyport/internal/cli/kube"
)

const (
	listenTimeout = 2 * time.Minute
	listenHelp    = "How long to wait for the proxy to listen."
	loginHelp     = "Account on the server; the request's first, if none is named."
)

// openSSH is one of OpenSSH's clients.
func (p *plugin) openSSH(program, short, example string) *cobra.Command {
	o := ssh.New(p.IOStreams, p.factory, p.keys, program)
	c := &cobra.Command{
		Use: program + " NAME [-- ARGUMENTS]", Short: short, Example: example,
		RunE: func(c *cobra.Command, args []string) error {
			if err := kube.OneName(c, args[:min(len(args), 1)]); err != nil {
				return err
			}
			o.Name, o.Arguments = args[0], args[1:]
			return run(c, o)
		},
		ValidArgsFunction: p.completeNames,
	}
	c.Flags().StringVarP(&o.User, "login", "l", "", loginHelp)
	c.Flags().StringVar(&o.KeyFile, "key", "", keyHelp)
	c.Flags().DurationVar(&o.Timeout, "timeout", listenTimeout, listenHelp)
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return fmt.Errorf("%w: options of %s stand behind --: kubectl access %s NAME -- …", err, program, program)
	})
	return c
}

func (p *plugin) ssh() *cobra.Command {
	return p.openSSH("ssh", "Run ssh through the task's proxy", `  kubectl access ssh ops-12
  kubectl access ssh ops-12 -- systemctl status web
  kubectl access ssh ops-12 -l deploy -- -L 5432:db.internal:5432 -N`)
}

func (p *plugin) scp() *cobra.Command {
	return p.openSSH("scp", "Run scp through the task's proxy", `  kubectl access scp ops-12 -- :/var/log/web/error.log .
  kubectl access scp ops-12 -- -r ./site ops-12:/srv/web`)
}

func (p *plugin) sftp() *cobra.Command {
	return p.openSSH("sftp", "Run sftp through the task's proxy", `  kubectl access sftp ops-12
  kubectl access sftp ops-12 -- -b batch.txt`)
}

func (p *plugin) proxyCommand() *cobra.Command {
	o := ssh.NewProxyCommand(p.IOStreams, p.factory, p.keys)
	c := p.named("proxy-command NAME", "Carry one connection to the task's proxy, for ssh's ProxyCommand", &o.Name, o)
	c.Flags().DurationVar(&o.Timeout, "timeout", listenTimeout, listenHelp)
	return c
}

func (p *plugin) sshConfig(flags *genericclioptions.ConfigFlags) *cobra.Command {
	o := ssh.NewConfig(p.IOStreams, p.factory, p.keys)
	c := &cobra.Command{
		Use: "ssh-config NAME...", Short: "Print what ~/.ssh/config needs, so that ssh, scp, rsync and git just work",
		Example: `  kubectl access ssh-config ops-12 > ~/.ssh/config.d/ops-12
  rsync -rpt ./site/ ops-12:/srv/web/`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("name a request: kubectl access ssh-config NAME")
			}
			o.Names, o.Flags = args, given(c, flags)
			return run(c, o)
		},
		ValidArgsFunction: func(c *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
			return p.completeNames(c, nil, typed)
		},
	}
	c.Flags().StringVarP(&o.User, "login", "l", "", loginHelp)
	c.Flags().StringVar(&o.KeyFile, "key", "", keyHelp)
	c.Flags().DurationVar(&o.Timeout, "timeout", listenTimeout, listenHelp)
	return c
}

// given are kubectl's own flags on this command line, and the context that is meant now:
// a file lives longer than a current context.
func given(c *cobra.Command, flags *genericclioptions.ConfigFlags) []string {
	var out []string
	c.InheritedFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Changed || f.Name == "namespace" {
			return
		}
		if values, ok := f.Value.(pflag.SliceValue); ok {
			for _, value := range values.GetSlice() {
				out = append(out, "--"+f.Name+"="+value)
			}
			return
		}
		out = append(out, "--"+f.Name+"="+f.Value.String())
	})
	if flags.Context != nil && *flags.Context == "" {
		if raw, err := flags.ToRawKubeConfigLoader().RawConfig(); err == nil && raw.CurrentContext != "" {
			out = append(out, "--context="+raw.CurrentContext)
		}
	}
	return out
}

func (p *plugin) krl() *cobra.Command {
	o := &krl.Options{IOStreams: p.IOStreams, Factory: p.factory}
	c := &cobra.Command{
		Use: "krl TARGET", Short: "Write the list of revoked certificates of an SSH target, for its sshd's RevokedKeys", Args: cobra.ExactArgs(1),
		Long: `Write the list of revoked certificates of an SSH target, for its sshd's RevokedKeys.

It has the requests that are there, and are over, while a certificate of theirs may
still be good. A deleted request stays that long. One that was abandoned, or whose
finalizer was taken away by hand, is gone: the list cannot know of it.`,
		Example: `  kubectl access krl web -f /etc/ssh/sallyport.krl`,
		RunE: func(c *cobra.Command, args []string) error {
			o.Target = args[0]
			return run(c, o)
		},
		ValidArgsFunction: p.completeSSHTargets,
	}
	c.Flags().StringVarP(&o.File, "file", "f", "", "File to replace; standard output, if none is named.")
	c.Flags().BoolVar(&o.Base64, "base64", false, "Write base64, for a ConfigMap or a terminal.")
	return c
}
