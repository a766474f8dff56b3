package ssh

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pkgsftp "github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/record"
)

// folder is one of the test's own in the login's home.
func folder(t testing.TB) string {
	t.Helper()
	needTarget(t)
	home, err := filepath.EvalSymlinks(target.server.Home("deploy"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(home, strings.NewReplacer("/", "_", " ", "_").Replace(t.Name()))
	if err := os.MkdirAll(path+"/granted", 0o777); err != nil {
		t.Fatal(err)
	}
	owner(t, path, path+"/granted")
	return path
}

// owner gives files to the login.
func owner(t testing.TB, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if err := os.Chmod(path, 0o777); err != nil {
			t.Fatal(err)
		}
	}
}

func put(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
}

var all = []v1alpha1.FileAccess{v1alpha1.FileRead, v1alpha1.FileWrite, v1alpha1.FileDelete}

func filesBelow(path string, access ...v1alpha1.FileAccess) v1alpha1.AccessPolicySpec {
	return granting(v1alpha1.SSHGrant{Files: []v1alpha1.FileGrant{{Path: path + "/**", Access: access}}})
}

// tool runs one of OpenSSH's clients against the engine.
func (b *bench) tool(t testing.TB, stdin, name string, args ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	options := b.options(t, dir)
	command := exec.CommandContext(ctx, name, append(options, args...)...)
	command.Stdin = strings.NewReader(stdin)
	command.Dir = dir
	out, err := command.CombinedOutput()
	return string(out), err
}

// options are those of OpenSSH's clients for the engine; dir is for their files.
func (b *bench) options(t testing.TB, dir string) []string {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(b.Key.Certificate.PrivateKey, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/key", pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(b.address)
	return []string{"-F", "none", "-i", dir + "/key", "-o", "Port=" + port, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=" + dir + "/hosts",
		"-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "LogLevel=ERROR"}
}

// files are the file events so far.
func (b *bench) files(t testing.TB) map[string]record.File {
	t.Helper()
	found := map[string]record.File{}
	for _, e := range b.events(t) {
		if e.File != nil {
			found[e.File.Op+" "+e.File.Path] = *e.File
		}
	}
	return found
}

func sum(content []byte) string {
	s := sha256.Sum256(content)
	return hex.EncodeToString(s[:])
}

func content(t testing.TB, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSSH6_EveryCommandOfOpenSSHsSFTPIsRecorded(t *testing.T) {
	t.Parallel()
	root := folder(t)
	in := root + "/granted"
	b := granted(t, filesBelow(in, all...))
	local := t.TempDir()
	big := content(t, 2<<20+3)
	put(t, local+"/big", big)
	batch := strings.Join([]string{
		"pwd", "cd " + in, "pwd", "mkdir d", "put " + local + "/big d/big", "ls -la d", "get d/big " + local + "/back", "chmod 600 d/big", "ln -s d/big link", "ln d/big hard",
		"rename hard moved", "df .", "-reput " + local + "/big d/big", "reget d/big " + local + "/back", "rm link", "rm moved", "rm d/big", "rmdir d", "bye",
	}, "\n") + "\n"
	out, err := b.tool(t, batch, "sftp", "-b", "-", "deploy@127.0.0.1")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	back, err := os.ReadFile(local + "/back")
	if err != nil || !bytes.Equal(back, big) {
		t.Fatalf("it came back differently: %v", err)
	}
	files := b.files(t)
	for _, want := range []string{"mkdir " + in + "/d", "symlink " + in + "/link", "hardlink " + in + "/hard", "rename " + in + "/hard", "rename to " + in + "/moved",
		"remove " + in + "/link", "remove " + in + "/d/big", "rmdir " + in + "/d", "setstat " + in + "/d/big"} {
		if _, ok := files[want]; !ok {
			t.Errorf("not recorded: %s\n%v", want, files)
		}
	}
	for op, direction := range map[string]string{"write": "upload", "read": "download"} {
		found := false
		for _, e := range b.events(t) {
			if e.File != nil && e.File.Op == op && e.File.Path == in+"/d/big" && e.File.Bytes == int64(len(big)) && e.File.SHA256 == sum(big) && e.File.Direction == direction {
				found = true
			}
		}
		if !found {
			t.Errorf("the %s was not recorded with size and hash: %v", direction, files)
		}
	}
}

func TestSSH6_SFTPReachesNothingOutsideOfItsGrant(t *testing.T) {
	t.Parallel()
	root := folder(t)
	put(t, root+"/secret", []byte("secret"))
	put(t, root+"/granted/fine", []byte("fine"))
	if err := os.Symlink("../secret", root+"/granted/link"); err != nil {
		t.Fatal(err)
	}
	b := granted(t, filesBelow(root+"/granted", v1alpha1.FileRead))
	for _, path := range []string{"/secret", "/granted/../secret", "/granted/link"} {
		out, err := b.tool(t, "get "+root+path+" x\n", "sftp", "-b", "-", "deploy@127.0.0.1")
		if err == nil || !strings.Contains(out, "refused by policy") {
			t.Errorf("reading %s: %v\n%s", path, err, out)
		}
	}
	out, err := b.tool(t, "-rm "+root+"/granted/fine\n-put /etc/hostname "+root+"/granted/new\nget "+root+"/granted/fine x\n", "sftp", "-b", "-", "deploy@127.0.0.1")
	if err != nil || strings.Count(out, "refused by policy") != 2 {
		t.Errorf("the session is not usable behind a refusal: %v\n%s", err, out)
	}
	if kind, effect := b.verdict(t, "sftp remove"); kind != "sftp remove" || effect != "Deny" {
		t.Errorf("recorded as %s %s", kind, effect)
	}
}

func TestAHeldSFTPOperationWaitsForItsReviewer(t *testing.T) {
	t.Parallel()
	root := folder(t)
	path := root + "/granted/f"
	put(t, path, []byte("text"))
	p := filesBelow(root+"/granted", all...)
	p.Rules = []v1alpha1.Rule{{Name: "removals", When: `action.kind == "sftp remove"`, Effect: v1alpha1.EffectHold}}
	b := granted(t, p)
	channel, err := b.connect(t).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	in, _ := channel.StdinPipe()
	out, _ := channel.StdoutPipe()
	if err := channel.RequestSubsystem("sftp"); err != nil {
		t.Fatal(err)
	}
	c, err := pkgsftp.NewClientPipe(out, in)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Remove(path) }()
	held := b.Reviewers.Next(t)
	if text := held.Operation.Text; !strings.HasPrefix(text, "sftp remove "+path+" (4 bytes, modified ") {
		t.Errorf("reviewers see %q", text)
	}
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	held.Approve()
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("it was approved, and did not run")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
	put(t, path, []byte("text"))
	go func() { done <- c.Remove(path) }()
	b.Reviewers.Next(t).Deny("keep it")
	if err := <-done; !errors.Is(err, os.ErrPermission) {
		t.Errorf("denied: %v", err)
	}
	if _, err := c.Stat(path); err != nil {
		t.Errorf("the session is not usable behind a denial: %v", err)
	}
	go func() { done <- c.Remove(path) }()
	held = b.Reviewers.Next(t)
	_ = channel.Close()
	held.AwaitWithdrawn(t)
	<-done
}

func TestASessionsFilesAreLimitedTogether(t *testing.T) {
	t.Parallel()
	root := folder(t)
	p := filesBelow(root+"/granted", all...)
	p.Grant.SSH.MaxUploadBytes = 150_000
	p.Grant.SSH.Files[0].MaxBytes = 100_000
	b := granted(t, p)
	local := t.TempDir()
	put(t, local+"/most", content(t, 100_000))
	put(t, local+"/more", content(t, 100_001))
	for _, args := range [][]string{{}, {"-O"}} {
		out, err := b.tool(t, "", "scp", append(args, local+"/more", "deploy@127.0.0.1:"+root+"/granted/more")...)
		if err == nil {
			t.Errorf("%v: a file larger than granted: %s", args, out)
		}
		out, err = b.tool(t, "", "scp", append(args, local+"/most", "deploy@127.0.0.1:"+root+"/granted/most")...)
		if err != nil {
			t.Errorf("%v: a file as large as granted: %v\n%s", args, err, out)
		}
		out, err = b.tool(t, "", "scp", append(args, local+"/most", local+"/most", "deploy@127.0.0.1:"+root+"/granted/")...)
		if err == nil || !strings.Contains(out, "no more than 150000 bytes") {
			t.Errorf("%v: more than granted in a session: %v\n%s", args, err, out)
		}
	}
	if info, err := os.Stat(root + "/granted/more"); err == nil && info.Size() > 100_000 {
		t.Errorf("the target has %d bytes", info.Size())
	}
}
