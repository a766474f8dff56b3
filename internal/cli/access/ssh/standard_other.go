//go:build !unix

package ssh

import "os"

// interruptible has nothing to do: ssh ends its ProxyCommand itself.
func interruptible(file *os.File) *os.File { return file }
