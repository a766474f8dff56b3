package sshd

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
)

// logins are the machine's people; the first owns what is in /srv.
var logins = []string{"deploy", "audit"}

// firstUID is above those that Debian gives to anybody.
const firstUID = 60001

// accounts are the files below /etc that make the machine one of its own.
func accounts() map[string]string {
	passwd := []string{
		"root:x:0:0:root:/root:/bin/bash",
		"sshd:x:102:65534::/run/sshd:/usr/sbin/nologin",
		"nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin",
	}
	group := []string{"root:x:0:", "tty:x:5:", "utmp:x:43:", "nogroup:x:65534:"}
	// A star is no password; an exclamation mark would lock keys out too.
	shadow := []string{"root:*:19000:0:99999:7:::", "sshd:*:19000:0:99999:7:::", "nobody:*:19000:0:99999:7:::"}
	for i, login := range logins {
		id := firstUID + i
		passwd = append(passwd, fmt.Sprintf("%s:x:%d:%d::/home/%s:/bin/bash", login, id, id, login))
		group = append(group, fmt.Sprintf("%s:x:%d:", login, id))
		shadow = append(shadow, login+":*:19000:0:99999:7:::")
	}
	files := map[string][]string{
		"passwd": passwd, "group": group, "shadow": shadow,
		"nsswitch.conf": {"passwd: files", "group: files", "shadow: files", "hosts: files"},
		"hosts": {
			"127.0.0.1 localhost", layout.SSHIP + " " + layout.SSHName + " web-1",
			layout.PostgresIP + " " + layout.PostgresName, layout.SpareTargetIP + " " + layout.SpareTargetName,
		},
	}
	contents := map[string]string{}
	for name, lines := range files {
		contents[name] = strings.Join(lines, "\n") + "\n"
	}
	return contents
}

// served is what the machine has in /srv, beside its git repository.
var served = map[string]string{
	"www/index.html": "<h1>Orders</h1>\n",
	"www/status.txt": "ok\n",
	"logs/app.log": `2031-05-04T09:15:02Z order 1001 ada@example.org paid with 4111 1111 1111 1111
2031-05-04T09:15:07Z order 1002 grace@example.org refused: address unknown
2031-05-04T09:16:40Z order 1003 alan@example.org paid
`,
	"logs/audit.log": "2031-05-04T09:15:02Z deploy restarted site\n",
}

// profile makes a shell on a terminal say the same on every machine.
const profile = `PS1='\u@\h:\w\$ '
unset HISTFILE
bind 'set enable-bracketed-paste off'
`

// history is the first commit of site.git, for git fast-import.
const history = `blob
mark :1
data <<END
<h1>Orders</h1>
END
commit refs/heads/main
committer deploy <deploy@` + layout.SSHName + `> 1935738900 +0000
data <<END
Say what this is
END
M 100644 :1 index.html
`

// furnish fills the machine's homes and /srv.
func furnish(ctx context.Context, root string) error {
	for i, login := range logins {
		home := filepath.Join(root, "home", login)
		if err := write(filepath.Join(home, ".bash_profile"), profile); err != nil {
			return err
		}
		if err := chownAll(home, firstUID+i); err != nil {
			return err
		}
	}
	for name, content := range served {
		if err := write(filepath.Join(root, "srv", name), content); err != nil {
			return err
		}
	}
	repository := filepath.Join(root, "srv", "git", "site.git")
	if err := git(ctx, "", "init", "--quiet", "--bare", "--initial-branch=main", repository); err != nil {
		return err
	}
	if err := git(ctx, history, "-C", repository, "fast-import", "--quiet"); err != nil {
		return err
	}
	return chownAll(filepath.Join(root, "srv"), firstUID)
}

// git runs without the settings of whoever is here.
func git(ctx context.Context, input string, args ...string) error {
	command := exec.CommandContext(ctx, "git", args...)
	command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	command.Stdin = strings.NewReader(input)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(string(output)))
	}
	return nil
}

func write(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o644)
}

func chownAll(root string, id int) error {
	return filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, id, id)
	})
}
