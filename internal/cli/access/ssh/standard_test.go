package ssh

import (
	"io"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestClosingStandardInputEndsARead(t *testing.T) {
	t.Parallel()
	in, far, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = far.Close() }()
	defer func() { _ = in.Close() }()
	// As a program gets it: a descriptor that nobody polls.
	in.Fd()
	local := standard(in, io.Discard)
	ended := make(chan error, 1)
	go func() {
		_, err := local.Read(make([]byte, 1))
		ended <- err
	}()
	if err := local.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err == nil {
			t.Error("a read of nothing succeeds")
		}
	case <-time.After(10 * time.Second):
		t.Error("the read goes on")
	}
}

func TestTheHostStandsWhereEachProgramWantsIt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		program     string
		given, want []string
	}{
		"ssh":                   {"ssh", []string{"-L", "1:a:2", "id"}, []string{"ops-12", "-L", "1:a:2", "id"}},
		"scp, short":            {"scp", []string{"-r", "./a", ":/b"}, []string{"-r", "./a", "ops-12:/b"}},
		"scp, long":             {"scp", []string{"ops-12:/b", "."}, []string{"ops-12:/b", "."}},
		"sftp":                  {"sftp", []string{"-b", "x"}, []string{"-b", "x", "ops-12"}},
		"sftp of a path":        {"sftp", []string{":/var/log/a"}, []string{"ops-12:/var/log/a"}},
		"sftp of a login there": {"sftp", []string{"audit@ops-12:/a"}, []string{"audit@ops-12:/a"}},
	} {
		o := &Options{Program: test.program, Arguments: test.given}
		if diff := cmp.Diff(test.want, o.arguments("ops-12")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
