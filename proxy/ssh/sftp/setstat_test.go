package sftp

import (
	"os"
	"slices"
	"testing"

	"github.com/sallyport/sallyport/internal/policy"
)

// A rule about setstat means the change, not the way to ask for it.
func TestAChangeOfAnOpenFileIsJudgedLikeOneByItsPath(t *testing.T) {
	t.Parallel()
	d := &door{}
	c, root := dial(t, d)
	path := root + "/granted/f"
	write(t, path, "text")
	f, err := c.OpenFile(path, os.O_WRONLY)
	must(t, err)
	must(t, f.Chmod(0o600))
	judged := func(o Operation) bool {
		return o.Kind == "sftp setstat" && o.Shown == "sftp setstat "+path+" to mode 0600" && slices.Equal(o.Files, []policy.FileUse{use(path, "Write")})
	}
	if !slices.ContainsFunc(d.operations, judged) {
		t.Errorf("it was judged as %+v", d.operations)
	}
	d.mu.Lock()
	d.grants = nil
	d.mu.Unlock()
	refused(t, "a change that is refused by now", f.Chmod(0o777))
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v %v", info.Mode(), err)
	}
	_, err = f.Write([]byte("more"))
	must(t, err)
	must(t, f.Close())
}

func TestExtendedAttributesAreNotHandedOn(t *testing.T) {
	t.Parallel()
	d := &door{}
	c, root := dialRaw(t, d)
	rest := appendString(appendString([]byte{0x80, 0, 0, 0, 0, 0, 0, 1}, "acl@example.com"), "anyone")
	if r := c.ask(pathRequest(typeMkdir, 1, root+"/new", rest)); r.Status != statusPermissionDenied {
		t.Errorf("it was answered with %s", statusName(r.Status))
	}
}
