package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/proxy/server"
	"github.com/sallyport/sallyport/proxy/session"
)

// watchProcessors gives Go's scheduler what it needs, unless the environment says how
// many processors that is.
func watchProcessors(ctx context.Context, s *server.Server, task *session.Task) error {
	if os.Getenv("GOMAXPROCS") != "" {
		return nil
	}
	return (&server.Processors{
		Most: runtime.GOMAXPROCS(0), Used: processorTime, Bulk: s.Bulk, Clients: s.Clients, Set: runtime.GOMAXPROCS,
		Flushes: func() bool { return task.State().Recording.Durability == v1alpha1.DurabilityDisk },
	}).Watch(ctx)
}

// processorTime is what this process has used so far, user and system.
func processorTime() (time.Duration, error) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0, fmt.Errorf("read the processor time used: %w", err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), nil
}
