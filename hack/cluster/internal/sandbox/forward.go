package sandbox

import (
	"io"
	"log"
	"net"
	"time"
)

// forward hands every connection of a listener to an address in this network
// namespace. The listener was opened on the host's loopback before the namespace
// was made, and a socket stays in the namespace that it was opened in.
func forward(listener net.Listener, address string) {
	for {
		client, err := listener.Accept()
		if err != nil {
			log.Printf("forward %s: %v", address, err)
			return
		}
		go func() {
			defer func() { _ = client.Close() }()
			server, err := net.DialTimeout("tcp", address, 5*time.Second)
			if err != nil {
				return
			}
			defer func() { _ = server.Close() }()
			splice(client, server)
		}()
	}
}

// splice copies both ways until both sides have finished, and tells each side
// when the other has.
func splice(a, b net.Conn) {
	done := make(chan struct{}, 2)
	oneWay := func(to, from net.Conn) {
		_, err := io.Copy(to, from)
		if half, ok := to.(*net.TCPConn); ok && err == nil {
			_ = half.CloseWrite()
		} else {
			_ = to.Close()
		}
		done <- struct{}{}
	}
	go oneWay(a, b)
	go oneWay(b, a)
	<-done
	<-done
}
