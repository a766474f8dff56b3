// Package socket makes TCP connections cheaper for a proxy that passes short messages on.
//
// Go's scheduler is told of every system call, as it may block: it wakes the thread that
// takes processors from blocked calls, and that then looks every 20 microseconds. Go's own
// sockets never block: the kernel answers "not now" at once, and the goroutine waits for
// the network poller. So short reads and writes go to the kernel without telling. Where
// the proxy is all but idle between messages, that is a quarter of what a message costs.
package socket
