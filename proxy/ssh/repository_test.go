package ssh

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// git looks for web.git and web/.git where it is asked for web, and follows what it finds.
func TestSSH3_ARepositoryIsJudgedAsTheOneThatGitOpens(t *testing.T) {
	t.Parallel()
	root := folder(t)
	for _, args := range [][]string{{"--bare", root + "/prod.git"}, {"--bare", root + "/granted/web.git"}, {root + "/granted/tree"}, {"--bare", root + "/granted/two"}, {"--bare", root + "/granted/two.git"}} {
		if out, err := exec.Command("git", append([]string{"init", "-q"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	for _, err := range []error{
		os.Symlink("../prod.git", root+"/granted/team.git"), os.Mkdir(root+"/granted/linked", 0o755), os.Symlink("../../prod.git", root+"/granted/linked/.git"),
		os.Mkdir(root+"/granted/told", 0o755), os.WriteFile(root+"/granted/told/.git", []byte("gitdir: ../../prod.git\n"), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	p := granting(v1alpha1.SSHGrant{Repositories: []v1alpha1.RepositoryGrant{{Path: root + "/granted/*"}}})
	p.Rules = []v1alpha1.Rule{{Name: "web", When: `action.repository == "` + root + `/granted/web.git"`, Effect: v1alpha1.EffectDeny}}
	b := granted(t, p)
	client := b.connect(t)
	for path, want := range map[string]string{
		"team": "Deny", "team.git": "Deny", "linked": "Deny", "told": "Deny", "web": "Deny", "web/": "Deny", "web.git": "Deny", "two": "Deny",
		"two.git": "Allow", "tree": "Allow", "tree/": "Allow", "none": "Allow",
	} {
		s, err := client.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		s.Stdin = bytes.NewReader(nil)
		line := "git-upload-pack '" + root + "/granted/" + path + "'"
		_ = s.Run(line)
		if kind, effect := b.verdict(t, line); kind != "git-upload-pack" || effect != want {
			t.Errorf("%s: %s %s, want %s", strings.ReplaceAll(line, root, "…"), kind, effect, want)
		}
	}
}
