package sftp

import (
	"os"
	"testing"
)

// OpenSSH's server hands O_EXCL on, and without O_CREAT the kernel follows a link all the
// same (open(2)).
func TestSSH6_AnExclusiveOpenThatCreatesNothingFollowsLinks(t *testing.T) {
	t.Parallel()
	d := &door{}
	c, root := dial(t, d)
	write(t, root+"/secret", "secret")
	must(t, os.Symlink("../secret", root+"/granted/link"))
	for name, flags := range map[string]int{"reading": os.O_RDONLY, "writing": os.O_WRONLY, "emptying": os.O_WRONLY | os.O_TRUNC} {
		_, err := c.OpenFile(root+"/granted/link", flags|os.O_EXCL)
		refused(t, name+" through a link by an exclusive open", err)
	}
	if got, _ := os.ReadFile(root + "/secret"); string(got) != "secret" {
		t.Errorf("the secret is now %q", got)
	}
	f, err := c.OpenFile(root+"/granted/new", os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	must(t, err)
	must(t, f.Close())
	must(t, os.Symlink("../nothing", root+"/granted/dangling"))
	if _, err := c.OpenFile(root+"/granted/dangling", os.O_WRONLY|os.O_CREATE|os.O_EXCL); err == nil {
		t.Error("a link was taken for a new file")
	}
	if _, err := os.Lstat(root + "/nothing"); err == nil {
		t.Error("a file was made through a link")
	}
}
