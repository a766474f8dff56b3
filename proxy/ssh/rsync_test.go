package ssh

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/sshtest"
)

func TestSSH6_RsyncMovesFilesBelowItsGrant(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("rsync"); err != nil {
		if os.Getenv(sshtest.AllowMissing) == "1" {
			t.Skipf("%s=1: %v", sshtest.AllowMissing, err)
		}
		t.Fatal("rsync is missing: hack/setup.sh installs it:", err)
	}
	root := folder(t)
	in := root + "/granted"
	b := granted(t, filesBelow(in, all...))
	dir, local := t.TempDir(), t.TempDir()
	shell := "ssh " + strings.Join(b.options(t, dir), " ")
	rsync := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), "rsync", append([]string{"-e", shell, "--stats"}, args...)...).CombinedOutput()
		return string(out), err
	}
	expect := func(args ...string) string {
		t.Helper()
		out, err := rsync(args...)
		if err != nil {
			t.Fatalf("rsync %v: %v\n%s", args, err, out)
		}
		return out
	}
	there := "deploy@127.0.0.1:" + in
	big := content(t, 1<<20)
	put(t, local+"/big", big)
	put(t, local+"/old", []byte("old"))

	// Up into a folder that is not there yet, then a delta, and without what is gone.
	expect("-a", "--no-links", "--no-D", local+"/", there+"/new/")
	copy(big[1000:], "changed")
	put(t, local+"/big", big)
	out := expect("-a", "--no-links", "--no-D", "--checksum", "--no-whole-file", local+"/", there+"/new/")
	if !regexp.MustCompile(`Matched data: 1,0\d\d,\d{3}`).MatchString(out) {
		t.Errorf("no delta was sent: %s", out)
	}
	if err := os.Remove(local + "/old"); err != nil {
		t.Fatal(err)
	}
	expect("-a", "--no-links", "--no-D", "--delete", local+"/", there+"/new/")
	if _, err := os.Stat(in + "/new/old"); !os.IsNotExist(err) {
		t.Errorf("what was deleted is there: %v", err)
	}
	back := t.TempDir()
	expect("-a", there+"/new/", back+"/")
	if got, err := os.ReadFile(back + "/big"); err != nil || !bytes.Equal(got, big) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}

	for name, refused := range map[string]struct {
		args  []string
		words string
	}{
		"links and devices":        {[]string{"-a", local + "/", there + "/new/"}, "use -a --no-links --no-D"},
		"devices":                  {[]string{"-a", "--no-links", local + "/", there + "/new/"}, "use -a --no-links --no-D"},
		"links that are said safe": {[]string{"-a", "--safe-links", "--no-D", local + "/", there + "/new/"}, "use -a --no-links --no-D"},
		"beside the grant, up":     {[]string{"-rt", local + "/", "deploy@127.0.0.1:" + root + "/other/"}, "refused by policy"},
		"beside the grant, down":   {[]string{"-rt", "deploy@127.0.0.1:" + root + "/", back + "/"}, "refused by policy"},
	} {
		if out, err := rsync(refused.args...); err == nil || !strings.Contains(out, refused.words) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
