package apitest

import (
	"strings"
	"testing"
)

// Judge compares what the API server said with what it should have: accepted when
// want is empty, else refused with want in the message.
func Judge(t testing.TB, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Fatalf("was refused: %v", err)
	case want != "" && err == nil:
		t.Fatalf("was accepted, should be refused with %q", want)
	case want != "" && !strings.Contains(err.Error(), want):
		t.Fatalf("was refused with\n  %v\nshould say\n  %s", err, want)
	}
}
