package ssh

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

func TestSSH6_SCPIsJudgedAndRecordedInBothProtocols(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{"sftp": {"-p"}, "legacy": {"-O", "-p"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := folder(t)
			in := root + "/granted"
			put(t, root+"/secret", []byte("secret"))
			b := granted(t, filesBelow(in, v1alpha1.FileRead, v1alpha1.FileWrite))
			local := t.TempDir()
			big := content(t, 1<<20+1)
			put(t, local+"/big", big)
			if err := os.MkdirAll(local+"/tree/inner", 0o755); err != nil {
				t.Fatal(err)
			}
			put(t, local+"/tree/a", []byte("a"))
			put(t, local+"/tree/inner/empty", nil)
			run := func(args ...string) (string, error) {
				return b.tool(t, "", "scp", append(slices.Clip(flags), args...)...)
			}
			at := "deploy@127.0.0.1:"
			for _, args := range [][]string{
				{local + "/big", at + in + "/big"}, {local + "/big", at + in}, {"-r", local + "/tree", at + in}, {"-r", local + "/tree", at + in + "/new"},
				{at + in + "/big", local + "/back"}, {"-r", at + in + "/tree", local + "/tree2"},
			} {
				if out, err := run(args...); err != nil {
					t.Errorf("%v: %v\n%s", args, err, out)
				}
			}
			if back, err := os.ReadFile(local + "/back"); err != nil || !bytes.Equal(back, big) {
				t.Errorf("it came back differently: %v", err)
			}
			if got, err := os.ReadFile(local + "/tree2/a"); err != nil || string(got) != "a" {
				t.Errorf("the tree came back as %q %v", got, err)
			}
			files := b.files(t)
			for op, direction := range map[string]string{"write": "upload", "read": "download"} {
				if f := files[op+" "+in+"/big"]; f.Bytes != int64(len(big)) || f.SHA256 != sum(big) || f.Direction != direction {
					t.Errorf("%s was recorded as %+v of %v", direction, f, files)
				}
				if f, ok := files[op+" "+in+"/tree/inner/empty"]; !ok || f.Bytes != 0 || f.SHA256 != sum(nil) {
					t.Errorf("%s of an empty file was recorded as %+v", direction, f)
				}
			}

			if err := os.Symlink("../secret", in+"/link"); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("../../secret", in+"/tree/link"); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{
				{at + root + "/secret", local + "/x"}, {at + in + "/../secret", local + "/x"}, {at + in + "/link", local + "/x"},
				{local + "/big", at + root + "/secret"}, {local + "/big", at + in + "/link"}, {"-r", at + in + "/tree", local + "/tree3"},
			} {
				out, err := run(args...)
				if err == nil || !strings.Contains(out, "refused by policy") {
					t.Errorf("%v: %v\n%s", args, err, out)
				}
			}
			if _, err := os.Stat(local + "/tree3/link"); err == nil {
				t.Error("a link in a folder led outside")
			}
			if got, _ := os.ReadFile(root + "/secret"); string(got) != "secret" {
				t.Errorf("the secret is now %.20q", got)
			}
		})
	}
}
