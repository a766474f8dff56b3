//go:build !linux || race

package socket

import "net"

// Wrap returns conn: only Linux promises system calls by number, and the race detector
// learns from Go's own calls who has waited for whom.
func Wrap(conn net.Conn) net.Conn { return conn }
