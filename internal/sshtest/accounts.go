package sshtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Logins are the accounts that one may log in to.
func Logins() []string { return []string{"deploy", "audit"} }

// firstUID is above those that Debian gives to anybody.
const firstUID = 60001

// profile makes a shell on a terminal say the same on every machine.
const profile = `PS1='$ '
unset HISTFILE
bind 'set enable-bracketed-paste off'
`

// writeAccounts writes what launch puts over the machine's own files, and the homes.
func (s *Server) writeAccounts(passwords map[string]string) error {
	passwd := []string{
		"root:x:0:0:root:/root:/bin/bash",
		"sshd:x:102:65534::/run/sshd:/usr/sbin/nologin",
		"nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin",
	}
	group := []string{"root:x:0:", "tty:x:5:", "utmp:x:43:", "nogroup:x:65534:"}
	shadow := []string{"root:*:19000:0:99999:7:::", "sshd:*:19000:0:99999:7:::", "nobody:*:19000:0:99999:7:::"}
	for i, login := range Logins() {
		id := firstUID + i
		// A star is no password; an exclamation mark would lock keys out too.
		hash := "*"
		if password, ok := passwords[login]; ok {
			var err error
			if hash, err = hashPassword(password); err != nil {
				return err
			}
		}
		passwd = append(passwd, fmt.Sprintf("%s:x:%d:%d::%s:/bin/bash", login, id, id, s.Home(login)))
		group = append(group, fmt.Sprintf("%s:x:%d:", login, id))
		shadow = append(shadow, fmt.Sprintf("%s:%s:19000:0:99999:7:::", login, hash))
		if err := s.makeHome(login, id); err != nil {
			return err
		}
	}
	files := map[string][]string{
		"passwd": passwd, "group": group, "shadow": shadow,
		"nsswitch.conf": {"passwd: files", "group: files", "shadow: files", "hosts: files dns"},
	}
	if err := os.Mkdir(s.path("etc"), 0o755); err != nil {
		return err
	}
	for name, content := range files {
		mode := os.FileMode(0o644)
		if name == "shadow" {
			mode = 0o600
		}
		if err := s.write(filepath.Join("etc", name), []byte(strings.Join(content, "\n")+"\n"), mode); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) makeHome(login string, id int) error {
	home := s.Home(login)
	if err := os.MkdirAll(home, 0o755); err != nil {
		return err
	}
	file := filepath.Join(home, ".bash_profile")
	if err := os.WriteFile(file, []byte(profile), 0o644); err != nil {
		return err
	}
	for path, mode := range map[string]os.FileMode{filepath.Dir(home): 0o755, home: 0o755} {
		if err := os.Chmod(path, mode); err != nil {
			return err
		}
	}
	if err := os.Chown(file, id, id); err != nil {
		return err
	}
	return os.Chown(home, id, id)
}

func hashPassword(password string) (string, error) {
	cmd := exec.Command("openssl", "passwd", "-6", "-stdin")
	cmd.Stdin = strings.NewReader(password)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%w: hash a password with openssl: %w", ErrMissing, err)
	}
	return strings.TrimSpace(string(out)), nil
}
