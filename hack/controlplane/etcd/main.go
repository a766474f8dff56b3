// Command etcd is the upstream server, built from the module proxy like the
// rest of the control plane: no release archive has to be downloaded.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
