package ssh

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Programs that move files are judged by where their paths lead on the target (SSH-6).
func TestProgramsThatMoveFilesAreJudgedByWhereTheirPathsLead(t *testing.T) {
	t.Parallel()
	needTarget(t)
	home, err := filepath.EvalSymlinks(target.server.Home("deploy"))
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(home, "paths")
	for _, folder := range []string{"granted/sub", "other", "repository.git"} {
		if err := os.MkdirAll(filepath.Join(base, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for link, text := range map[string]string{"granted/way-out": "../other", "granted/inside": "sub", "other/way-in": "../granted/file"} {
		if err := os.Symlink(text, filepath.Join(base, link)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	b := granted(t, granting(v1alpha1.SSHGrant{
		Files: []v1alpha1.FileGrant{{Path: base + "/granted/**", Access: []v1alpha1.FileAccess{
			v1alpha1.FileRead, v1alpha1.FileWrite}}},
		Repositories: []v1alpha1.RepositoryGrant{{Path: base + "/repository.git"}},
		Commands:     words("echo *"),
	}))
	client := b.connect(t)
	for line, want := range map[string]string{
		"scp -f " + base + "/granted/file":                                          "scp download Allow",
		"scp -f ./paths/granted/sub/../file":                                        "scp download Allow",
		"scp -f ~/paths/granted/sub":                                                "scp download Allow",
		"scp -f ./paths/granted/../other/file":                                      "scp download Deny",
		"scp -f paths/granted/way-out/file":                                         "scp download Deny",
		"scp -f '~/paths/granted/file'":                                             "scp download Deny",
		"scp -f /etc/passwd":                                                        "scp download Deny",
		"rsync --server --sender -re.iLsfxCIvu . " + base + "/granted/":             "rsync download Allow",
		"rsync --server --sender -re.iLsfxCIvu . " + base:                           "rsync download Deny",
		"rsync --server --sender -rLe.iLsfxCIvu . " + base + "/granted/":            "rsync download Deny",
		"rsync --server -rte.iLsfxCIvu . " + base + "/granted/sub/":                 "rsync upload Allow",
		"rsync --server -rlte.iLsfxCIvu . " + base + "/granted/sub/":                "rsync upload Deny",
		"rsync --server -rte.iLsfxCIvu --delete . " + base + "/granted/sub/":        "rsync upload Deny",
		"rsync --server -rte.iLsfxCIvu . " + base + "/granted/way-out/":             "rsync upload Deny",
		"rsync --server -rte.iLsfxCIvu . " + base + "/granted/new/deeper/":          "rsync upload Allow",
		"rsync --server -rte.iLsfxCIvu . " + base + "/granted/inside/":              "rsync upload Allow",
		"rsync --server -rte.iLsfxCIvu . paths/granted/new":                         "rsync upload Allow",
		"rsync --server -rte.iLsfxCIvu . ~/paths/granted/new/":                      "rsync upload Allow",
		"rsync --server -rte.iLsfxCIvu . " + base + "/granted/way-out/new/":         "rsync upload Deny",
		"rsync --server -rte.iLsfxCIvu . " + base + "/granted/sub/../../other/":     "rsync upload Deny",
		"rsync --server -rte.iLsfxCIvu . " + base + "/granted/new/../sub/":          "rsync upload Deny",
		"rsync --server -te.iLsfxCIvu . " + base + "/other/way-in":                  "rsync upload Deny",
		"rsync --server -rte.iLsfxCIvu --temp-dir=/tmp . " + base + "/granted/sub/": "rsync upload Deny",
		"git-upload-pack '" + base + "/repository.git'":                             "git-upload-pack Allow",
		"git-upload-pack '~/paths/repository.git'":                                  "git-upload-pack Allow",
		"git-receive-pack '" + base + "/repository.git'":                            "git-receive-pack Deny",
		"git-upload-pack '" + base + "/other'":                                      "git-upload-pack Deny",
		"echo one; scp -f " + base + "/granted/file":                                "exec Deny",
		"echo $(scp -f " + base + "/granted/file)":                                  "exec Deny",
	} {
		s, err := client.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		s.Stdin = bytes.NewReader(nil)
		_ = s.Run(line)
		kind, effect := b.verdict(t, line)
		if got := kind + " " + effect; got != want {
			t.Errorf("%s: %s, want %s", strings.ReplaceAll(line, base, "…"), got, want)
		}
	}
}

func TestPathsNeedATargetWithSFTP(t *testing.T) {
	t.Parallel()
	needTarget(t)
	_, client, hostile := faced(t, unrestricted())
	hostile.sessions(func(channel ssh.Channel, requests <-chan *ssh.Request) {
		for request := range requests {
			_ = request.Reply(false, nil)
		}
		_ = channel.Close()
	})
	for _, line := range []string{"scp -t f", "rsync --server -rte.iLsfxCIvu . f", "git-upload-pack 'f'"} {
		s, err := client.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		if out, err := s.CombinedOutput(line); err == nil || !strings.Contains(string(out), "the target has no sftp") {
			t.Errorf("%s: %v %s", line, err, out)
		}
	}
}
