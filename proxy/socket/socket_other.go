//go:build !linux

package socket

import "net"

// Wrap returns conn: only Linux promises system calls by number.
func Wrap(conn net.Conn) net.Conn { return conn }
