package sftp

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

func refused(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s was done", what)
		return
	}
	if !errors.Is(err, os.ErrPermission) {
		t.Errorf("%s: %v, want permission denied", what, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}

func TestSSH6_PathRulesSurviveDotsAndLinks(t *testing.T) {
	t.Parallel()
	d := &door{}
	c, root := dial(t, d)
	in := root + "/granted"
	write(t, root+"/secret", "secret")
	write(t, in+"/open", "fine")
	must(t, os.Mkdir(root+"/vault", 0o755))
	write(t, root+"/vault/key", "key")
	must(t, os.Symlink(root+"/secret", in+"/absolute"))
	must(t, os.Symlink("../secret", in+"/relative"))
	must(t, os.Symlink("../vault", in+"/folder"))
	must(t, os.Symlink("folder", in+"/chain"))
	must(t, os.Symlink("open", in+"/fine"))
	must(t, os.Symlink("loop", in+"/loop"))
	must(t, os.Symlink("../new", in+"/dangling"))

	for _, path := range []string{
		"/granted/../secret", "/granted/./../secret", "/granted//..//secret", "/granted/absolute", "/granted/relative",
		"/granted/folder/key", "/granted/chain/key", "/granted/folder/../secret", "/granted/chain/.", "/granted/chain/", "/granted/loop",
		"/granted/nothing/../../secret", "/granted/open/../../secret", "/proc/self/root/../secret",
	} {
		_, err := get(c, root+path)
		refused(t, "reading "+path, err)
	}
	_, err := get(c, "/proc/self/root"+root+"/secret")
	refused(t, "reading by /proc/self/root", err)
	_, err = get(c, "granted/../secret")
	refused(t, "reading by a relative path", err)
	_, err = c.Create(in + "/dangling")
	refused(t, "writing through a dangling link", err)
	refused(t, "chmod through a link", c.Chmod(in+"/absolute", 0o777))
	refused(t, "truncating through a link", c.Truncate(in+"/relative", 0))
	_, err = c.ReadDir(in + "/folder")
	refused(t, "listing through a link", err)

	for _, path := range []string{"/granted/open", "/granted/fine", "/granted/./open", "/granted//open", "/granted/folder/../granted/open", "/granted/../granted/open"} {
		got, err := get(c, root+path)
		if err != nil || got != "fine" {
			t.Errorf("reading %s: %q %v", path, got, err)
		}
	}
	if got, err := get(c, "granted/open"); err != nil || got != "fine" {
		t.Errorf("reading by a relative path: %q %v", got, err)
	}
	if info, err := c.Lstat(in + "/absolute"); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("lstat of a link: %v %v", info, err)
	}
	if err := c.Remove(in + "/absolute"); err != nil {
		t.Errorf("removing a link: %v", err)
	}
	if got, _ := os.ReadFile(root + "/secret"); string(got) != "secret" {
		t.Errorf("the secret is now %q", got)
	}
}

func TestSSH6_LinksMadeInTheSessionLeadNowhereElse(t *testing.T) {
	t.Parallel()
	d := &door{}
	c, root := dial(t, d)
	in := root + "/granted"
	write(t, root+"/secret", "secret")
	write(t, in+"/open", "fine")
	must(t, os.Mkdir(in+"/deep", 0o755))
	must(t, os.Symlink("../../secret", in+"/deep/link"))

	refused(t, "a link to a file outside", c.Symlink(root+"/secret", in+"/a"))
	refused(t, "a relative link outside", c.Symlink("../secret", in+"/b"))
	refused(t, "a link that dangles outside", c.Symlink("../nothing", in+"/c"))
	refused(t, "a link from outside", c.Symlink(in+"/open", root+"/d"))
	refused(t, "a hard link to a file outside", c.Link(root+"/secret", in+"/e"))
	refused(t, "a hard link to outside", c.Link(in+"/open", root+"/f"))
	refused(t, "renaming out", c.Rename(in+"/open", root+"/g"))
	refused(t, "renaming in", c.Rename(root+"/secret", in+"/h"))
	refused(t, "renaming over dots", c.PosixRename(in+"/open", in+"/../i"))
	refused(t, "moving a link that leads outside", c.Rename(in+"/deep/link", in+"/deep/link2"))

	must(t, c.Symlink("open", in+"/link"))
	if got, err := get(c, in+"/link"); err != nil || got != "fine" {
		t.Errorf("reading by a new link: %q %v", got, err)
	}
	must(t, c.Link(in+"/open", in+"/second"))
	must(t, c.PosixRename(in+"/second", in+"/third"))
	must(t, c.Rename(in+"/deep", in+"/deeper"))
	_, err := get(c, in+"/deeper/link")
	refused(t, "reading by a link that moved with its folder", err)
	if got, err := c.ReadLink(in + "/link"); err != nil || got != "open" {
		t.Errorf("readlink: %q %v", got, err)
	}
	for op, path := range map[string]string{"symlink": "/link", "hardlink": "/second", "rename": "/deep", "rename to": "/deeper"} {
		if f, ok := d.file(op); !ok || f.Path != in+path {
			t.Errorf("%s was recorded as %+v", op, f)
		}
	}
}

func TestSSH6_NamesWithControlCharactersAreRefused(t *testing.T) {
	t.Parallel()
	c, root := dial(t, &door{})
	for _, name := range []string{"a\x00b", "a\nb", "a\x1b[2Jb", "a\x7fb", "a\xffb", strings.Repeat("x/", 200) + "y"} {
		_, err := c.Create(root + "/granted/" + name)
		refused(t, "creating "+name, err)
	}
}

func TestSSH6_AFolderIsRenamedWithAllBelowItOnly(t *testing.T) {
	t.Parallel()
	d := &door{}
	c, root := dial(t, d)
	must(t, os.MkdirAll(root+"/shallow/folder/secret", 0o755))
	d.grants[root+"/shallow/*"] = "RWD"
	refused(t, "moving more than is granted", c.Rename(root+"/shallow/folder", root+"/granted/folder"))
}

func TestATransferIsRecordedWithSizeAndHash(t *testing.T) {
	t.Parallel()
	d := &door{keep: 5}
	c, root := dial(t, d)
	content := random(3<<20 + 17)
	sum := sha256.Sum256(content)
	f, err := c.Create(root + "/granted/big")
	must(t, err)
	if _, err := io.Copy(f, bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	must(t, f.Close())
	got, ok := d.file("write")
	if !ok || got.Bytes != int64(len(content)) || got.SHA256 != hex.EncodeToString(sum[:]) || got.Direction != "upload" || got.Path != root+"/granted/big" {
		t.Errorf("the upload was recorded as %+v", got)
	}
	if n := d.streamed[got.Operation]; n != int64(len(content)) {
		t.Errorf("%d bytes were recorded before they were forwarded, of %d", n, len(content))
	}
	if len(d.sums) == 0 || d.sums[len(d.sums)-1] != got.SHA256 {
		t.Error("the last piece was not recorded with the file's hash")
	}
	if !bytes.Equal(d.content, content[:5]) {
		t.Errorf("kept %q", d.content)
	}
	text, err := get(c, root+"/granted/big")
	if err != nil || text != string(content) {
		t.Fatalf("it came back differently: %v", err)
	}
	got, ok = d.file("read")
	if !ok || got.Bytes != int64(len(content)) || got.SHA256 != hex.EncodeToString(sum[:]) || got.Direction != "download" {
		t.Errorf("the download was recorded as %+v", got)
	}
}

func TestBytesOutOfOrderHaveNoHash(t *testing.T) {
	t.Parallel()
	d := &door{}
	c, root := dial(t, d)
	f, err := c.Create(root + "/granted/f")
	must(t, err)
	_, err = f.WriteAt([]byte("world"), 5)
	must(t, err)
	_, err = f.WriteAt([]byte("hello"), 0)
	must(t, err)
	must(t, f.Close())
	if got, _ := d.file("write"); got.Bytes != 10 || got.SHA256 != "" {
		t.Errorf("recorded as %+v", got)
	}
}

func TestLimitsEndATransferAndNotTheSession(t *testing.T) {
	t.Parallel()
	d := &door{most: 100000}
	c, root := dial(t, d)
	write(t, root+"/granted/large", string(random(200000)))
	f, err := c.Create(root + "/granted/f")
	must(t, err)
	_, err = io.Copy(f, bytes.NewReader(random(200000)))
	if err == nil || !strings.Contains(err.Error(), "at most 100000 bytes") {
		t.Errorf("writing too much: %v", err)
	}
	if _, err := f.WriteAt([]byte("x"), 0); err == nil {
		t.Error("the transfer went on")
	}
	_ = f.Close()
	if info, err := os.Stat(root + "/granted/f"); err != nil || info.Size() > 100000 {
		t.Errorf("the target has %v %v", info, err)
	}
	if _, err := get(c, root+"/granted/large"); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("reading too much: %v", err)
	}
	if f, err := c.OpenFile(root+"/granted/f", os.O_WRONLY); err != nil {
		t.Fatal(err)
	} else if err := f.Truncate(1 << 40); err == nil {
		t.Error("a file may be made larger by its size alone")
	}
	d.most = 0
	d.total = 10
	if _, err := get(c, root+"/granted/f"); err == nil || !strings.Contains(err.Error(), "too much in one session") {
		t.Errorf("reading more than a session may: %v", err)
	}
	_, err = c.Stat(root + "/granted/f")
	must(t, err)
}

func TestAFileIsUsedAsItWasOpened(t *testing.T) {
	t.Parallel()
	d := &door{}
	c, root := dial(t, d)
	write(t, root+"/granted/f", "text")
	f, err := c.Open(root + "/granted/f")
	must(t, err)
	_, err = f.Write([]byte("x"))
	refused(t, "writing to a file opened to read", err)
	refused(t, "chmod of a file opened to read", f.Chmod(0o777))
	f, err = c.OpenFile(root+"/granted/f", os.O_WRONLY)
	must(t, err)
	must(t, f.Chmod(0o600))
	if event, ok := d.file("setstat"); !ok || event.Path != root+"/granted/f" {
		t.Errorf("a change of an open file was recorded as %+v", event)
	}
	d.grants = map[string]string{root + "/granted/**": "R"}
	_, err = c.OpenFile(root+"/granted/f", os.O_RDWR)
	refused(t, "opening to write", err)
	_, err = c.OpenFile(root+"/granted/new", os.O_RDONLY|os.O_CREATE)
	refused(t, "creating by an open to read", err)
	d.grants = map[string]string{root + "/granted/**": "W"}
	_, err = c.OpenFile(root+"/granted/f", os.O_RDWR)
	refused(t, "opening to read", err)
	refused(t, "removing", c.Remove(root+"/granted/f"))
	must(t, c.Mkdir(root+"/granted/folder"))
}

func TestAHeldOperationIsShownAndRunsOnlyAsItWasShown(t *testing.T) {
	t.Parallel()
	d := &door{}
	c, root := dial(t, d)
	path := root + "/granted/f"
	write(t, path, "text")
	var shown string
	d.hold = func(o Operation) {
		shown = o.Shown
		write(t, path, "longer text")
	}
	if err := c.Remove(path); err == nil {
		t.Error("what has changed since it was approved was removed")
	}
	if !strings.HasPrefix(shown, "sftp remove "+path+" (4 bytes, modified 20") {
		t.Errorf("reviewers see %q", shown)
	}
	d.hold = func(Operation) {}
	must(t, c.Remove(path))
	if f, ok := d.file("remove"); !ok || f.Path != path {
		t.Errorf("recorded as %+v", f)
	}
}

func TestUnknownExtensionsAreNeitherOfferedNorDone(t *testing.T) {
	t.Parallel()
	conn := serve(t, &door{}, openssh(t, "/"))
	in := frames{from: conn}
	_, _ = conn.Write([]byte{0, 0, 0, 5, typeInit, 0, 0, 0, 6})
	packet, err := in.next()
	must(t, err)
	if !bytes.Contains(packet, []byte(extPosixRename)) || packet[8] != version {
		t.Errorf("the client was told %q", packet)
	}
	_, _ = conn.Write(extendedRequest(7, "format-disk@example.com", []byte("now")))
	packet, err = in.next()
	must(t, err)
	if r, err := ParseResponse(packet[4:]); err != nil || r.ID != 7 || r.Status != statusUnsupported {
		t.Errorf("answered %+v %v", r, err)
	}
}
