package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
	"github.com/sallyport/sallyport/hack/cluster/internal/supervise"
)

// Descriptors that Spawn hands to Inside.
const (
	readyFD = 3 + iota
	firstDoorFD
)

// readyWord tells Spawn that the sandbox stands; anything else is an error's text.
const readyWord = "ready"

// Inside is the life of process 1: make the sandbox, then obey the supervisor's socket.
func Inside(c layout.Cluster, assets string) error {
	ready := os.NewFile(readyFD, "ready")
	err := prepare(c, assets)
	if err == nil {
		err = supervise.Run(c.Socket(), func() {
			_, _ = ready.WriteString(readyWord)
			_ = ready.Close()
		})
	}
	_, _ = ready.WriteString(err.Error())
	return err
}

func prepare(c layout.Cluster, assets string) error {
	if os.Getpid() != 1 {
		return errors.New("this is for process 1 of a cluster; use: cluster up")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := unix.Sethostname([]byte(c.Node())); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	if err := isolateMounts(c, assets); err != nil {
		return err
	}
	if err := isolateNetwork(ctx); err != nil {
		return err
	}
	for i, address := range doorsLeadTo {
		listener, err := net.FileListener(os.NewFile(uintptr(firstDoorFD+i), address))
		if err != nil {
			return fmt.Errorf("listener for %s: %w", address, err)
		}
		go forward(listener, address)
	}
	return nil
}
