package kube

import (
	"context"
	"fmt"
	"io"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Run runs a plugin's command as kubectl runs its own: SIGINT and SIGTERM cancel
// it, an error is said in kubectl's words. It returns the exit code.
func Run(command *cobra.Command, args []string, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	command.SilenceErrors, command.SilenceUsage = true, true
	command.SetArgs(args)
	err := command.ExecuteContext(ctx)
	if message := Message(err); message != "" {
		fmt.Fprintln(errOut, message)
	}
	return ExitCode(err)
}

// Arguments are a plugin's, by its command line. Called by the name under which
// kubectl looks for completion (kubectl_complete-NAME), it completes.
func Arguments(commandLine []string) []string {
	if strings.HasPrefix(filepath.Base(commandLine[0]), "kubectl_complete-") {
		return append([]string{cobra.ShellCompRequestCmd}, commandLine[1:]...)
	}
	return commandLine[1:]
}

// CompletionCommand prints the executable by which kubectl completes a plugin.
func CompletionCommand(plugin string, out io.Writer) *cobra.Command {
	file := "kubectl_complete-" + plugin
	return &cobra.Command{
		Use:   "completion",
		Short: "Print the executable by which kubectl completes this plugin",
		Long: "Print the executable by which kubectl completes this plugin. Put it on your PATH:\n\n" +
			"  kubectl " + plugin + " completion > ~/.local/bin/" + file + " && chmod +x ~/.local/bin/" + file,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(out, "#!/bin/sh\nexec kubectl %s %s \"$@\"\n", plugin, cobra.ShellCompRequestCmd)
			return err
		},
	}
}

// OneName is the check of a verb that takes one name: the error shows how.
func OneName(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("give one name: %s", c.UseLine())
	}
	return nil
}
