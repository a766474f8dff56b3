package sftp

import (
	"os/user"
	"path/filepath"
	"testing"
)

// A server may begin elsewhere (sftp-server -d): programs of the login do not.
func TestRelativePathsOfProgramsBeginAtTheLoginsHome(t *testing.T) {
	t.Parallel()
	who, err := user.Current()
	must(t, err)
	home, err := filepath.EvalSymlinks(who.HomeDir)
	must(t, err)
	c, err := NewClient(openssh(t, t.TempDir()), who.Username)
	must(t, err)
	place, err := c.Resolve(t.Context(), "new/file", true)
	must(t, err)
	if place.Path != home+"/new/file" || place.Exists {
		t.Errorf("a relative path leads to %+v", place)
	}
	stranger, err := NewClient(openssh(t, t.TempDir()), "nobody-of-that-name")
	must(t, err)
	if home, err := stranger.Home(t.Context()); err == nil {
		t.Errorf("the home of nobody is %s", home)
	}
}
