package ssh

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// What reviewers have seen is what runs, also where it is named by a path.
func TestAHeldProgramRunsOnlyWhereItsPathsLedWhenItWasShown(t *testing.T) {
	t.Parallel()
	root := folder(t)
	for _, path := range []string{"/granted/one", "/granted/two"} {
		if err := os.Mkdir(root+path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("one", root+"/granted/now"); err != nil {
		t.Fatal(err)
	}
	p := filesBelow(root+"/granted", all...)
	p.Rules = []v1alpha1.Rule{{Name: "copies", When: `action.kind == "rsync download"`, Effect: v1alpha1.EffectHold}}
	b := granted(t, p)
	client := b.connect(t)
	for title, change := range map[string]func(){
		"": func() {},
		"has changed while it waited": func() {
			if err := os.Remove(root + "/granted/now"); err != nil {
				t.Error(err)
			}
			if err := os.Symlink("two", root+"/granted/now"); err != nil {
				t.Error(err)
			}
		},
	} {
		s, err := client.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		s.Stdin = bytes.NewReader(nil)
		done := make(chan string, 1)
		go func() {
			var said bytes.Buffer
			s.Stderr = &said
			_ = s.Run("rsync --server --sender -re.iLsfxCIvu . " + root + "/granted/now/")
			done <- said.String()
		}()
		held := b.Reviewers.Next(t)
		change()
		held.Approve()
		if said := <-done; strings.Contains(said, "has changed while it waited") != (title != "") {
			t.Errorf("%q: the client was told %q", title, said)
		}
	}
}
