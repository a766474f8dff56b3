// Command kubectl-access is the plugin with which people ask for access and use it.
// Linked as kubectl_complete-access it completes kubectl access.
package main

import (
	"fmt"
	"os"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/sallyport/sallyport/internal/cli/access"
	"github.com/sallyport/sallyport/internal/cli/clientkey"
	"github.com/sallyport/sallyport/internal/cli/kube"
)

func main() {
	keys, err := clientkey.Default()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	flags := genericclioptions.NewConfigFlags(true)
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	command := access.NewCommand(flags, kube.FromFlags(flags), keys, streams)
	os.Exit(kube.Run(command, kube.Arguments(os.Args), os.Stderr))
}
