// Command kubectl-approve is the plugin with which people review requests. Linked
// as kubectl_complete-approve it completes kubectl approve.
package main

import (
	"os"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/sallyport/sallyport/internal/cli/approve"
	"github.com/sallyport/sallyport/internal/cli/kube"
)

func main() {
	flags := genericclioptions.NewConfigFlags(true)
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	command := approve.NewCommand(flags, kube.FromFlags(flags), streams)
	os.Exit(kube.Run(command, kube.Arguments(os.Args), os.Stderr))
}
