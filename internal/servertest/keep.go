package servertest

import (
	"errors"
	"os"
	"testing"
)

// AllowMissing, set to 1 in the environment, skips tests that lack a server.
const AllowMissing = "SALLYPORT_ALLOW_MISSING"

// Server is one that a test stands on.
type Server interface {
	// Log is what it has printed so far.
	Log() string
	// Close stops it, and removes everything that it left.
	Close()
}

// Keep has a server that was started, or was not, until the test ends. Without it the
// test fails, or is skipped if it is this that is missing and the environment allows that.
func Keep[S Server](t testing.TB, server S, err, missing error) S {
	t.Helper()
	if errors.Is(err, missing) && os.Getenv(AllowMissing) == "1" {
		t.Skipf("%s=1: %v", AllowMissing, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the last lines of the server's log:\n%s", tail(server.Log()))
		}
		server.Close()
	})
	return server
}

func tail(log string) string { return log[max(0, len(log)-4096):] }
