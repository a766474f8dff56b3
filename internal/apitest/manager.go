package apitest

import (
	"context"
	"testing"
)

// RunManager runs a controller manager until the test ends, and waits for its end.
func RunManager(t testing.TB, manager interface {
	Start(ctx context.Context) error
}) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- manager.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Errorf("manager: %v", err)
		}
	})
}
