package e2e

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

// place is where a client works: its tools, and a folder of the server's.
type place struct {
	*harness.Tools
	*harness.Server
	folder string
}

// remote is a file of the folder as scp, rsync and sftp name it.
func (p *place) remote(name string) string { return p.Host + ":" + p.folder + "/" + name }

// seen is what a client saw, or left on the server.
type seen []string

func (s *seen) result(r harness.Result) {
	*s = append(*s, fmt.Sprintf("exit code %d\n%s\nerrors: %s", r.Code, r.Out, r.Err))
}

func (s *seen) content(what string, content []byte) {
	*s = append(*s, fmt.Sprintf("%s: %d bytes, %x", what, len(content), sha256.Sum256(content)))
}

// noise is the same bytes whenever it is asked for, and nothing that compresses.
func noise(n int) []byte {
	content := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(content)
	return content
}

// Every client does the same twice: with the server itself, and through a task that may
// do what its account may. Nothing that it sees or leaves may differ.
func TestSSH_OrdinaryClientsSeeWhatTheyWouldWithoutSallyport(t *testing.T) {
	t.Parallel()
	d, server := harness.Open(t).ServerDomain(t, func(p *v1alpha1.AccessPolicySpec) { p.Grant.SSH.Unrestricted = true })
	direct := server.Direct(t, d.Dave)
	task := d.Granted(t, d.Bob, "web-1", harness.TypeDeploy)
	governed := task.Tools(t)
	for _, client := range []struct {
		name string
		does func(*testing.T, *place) seen
	}{
		{"ssh runs a command, and has its exit code and both outputs", runsCommands},
		{"ssh has what ended a command that did not exit", runsUntilASignal},
		{"ssh pipes a megabyte in, and its end", pipesIn},
		{"ssh pipes five megabytes out", pipesOut},
		{"ssh has a terminal", hasATerminal},
		{"ssh sets a variable", setsAVariable},
		{"scp copies both ways, by sftp", func(t *testing.T, p *place) seen { return copies(t, p, "-s") }},
		{"scp copies both ways, by its own protocol", func(t *testing.T, p *place) seen { return copies(t, p, "-O") }},
		{"sftp does every command of a batch", doesABatch},
		{"rsync sends a delta up, and takes one down", synchronises},
		{"git clones, and pushes", clonesAndPushes},
		{"ssh shares one connection", sharesAConnection},
	} {
		t.Run(client.name, func(t *testing.T) {
			want := client.does(t, &place{direct, server, server.Folder(t)})
			got := client.does(t, &place{governed, server, server.Folder(t)})
			for i := range max(len(want), len(got)) {
				switch {
				case i >= len(want):
					t.Errorf("more than the server itself gives: %s", got[i])
				case i >= len(got):
					t.Errorf("missing: %s", want[i])
				case got[i] != want[i]:
					t.Errorf("through the task:\n%s\nwith the server itself:\n%s", got[i], want[i])
				}
			}
		})
	}
	task.Close(t)
	task.AwaitGone(t, v1alpha1.ReasonClosed)
	if verdict := task.Verify(t); verdict.Code != 0 {
		t.Errorf("the recordings: %s", verdict)
	}
}

func runsCommands(t *testing.T, p *place) (s seen) {
	for _, command := range []string{
		"true", "exit 7", "no-such-command", "echo out; echo err >&2; exit 3", "printf 'a\\0b\\n'", `echo "a  b" 'c "d"' $((1+2))`, "id -un; pwd",
		"echo one && false || echo two",
	} {
		s.result(p.Run(t, "ssh", p.Host, command))
	}
	return s
}

func runsUntilASignal(t *testing.T, p *place) (s seen) {
	s.result(p.Run(t, "ssh", p.Host, "kill -TERM $$"))
	s.result(p.Run(t, "ssh", p.Host, "kill -KILL $$"))
	return s
}

func pipesIn(t *testing.T, p *place) (s seen) {
	s.result(p.RunWith(t, string(noise(1<<20)), "ssh", p.Host, "sha256sum; echo done"))
	return s
}

func pipesOut(t *testing.T, p *place) (s seen) {
	p.Write(t, p.folder+"/noise", noise(5<<20))
	result := p.Run(t, "ssh", p.Host, "cat "+p.folder+"/noise")
	s.content("stdout", []byte(result.Out))
	result.Out = ""
	s.result(result)
	return s
}

func hasATerminal(t *testing.T, p *place) (s seen) {
	s.result(p.Run(t, "ssh", "-q", "-tt", p.Host, "test -t 0 && test -t 1 && echo $TERM && exit 4"))
	shell := p.Start(t, "ssh", "-q", "-tt", p.Host)
	at := 0
	for _, typed := range []string{"echo $((40+2))\n", "exit 5\n"} {
		_, at = shell.Out.Await(t, at, "$ ", harness.Patience)
		shell.Type(t, typed)
	}
	_, code := shell.Exit(t, harness.Patience)
	return append(s, fmt.Sprintf("exit code %d: %q", code, shell.Out))
}

func setsAVariable(t *testing.T, p *place) (s seen) {
	s.result(p.Run(t, "ssh", "-o", "SetEnv=SALLYPORT_TEST=blue", p.Host, "echo $SALLYPORT_TEST"))
	return s
}

func copies(t *testing.T, p *place, protocol string) (s seen) {
	up := p.Local(t, protocol+"/up/a", noise(100_000))
	p.Local(t, protocol+"/up/deep/b", []byte("b"))
	p.Local(t, protocol+"/up/empty", nil)
	s.result(p.Run(t, "scp", protocol, "-q", up, p.remote("one-file")))
	s.content("one-file", p.Read(t, p.folder+"/one-file"))
	s.result(p.Run(t, "scp", protocol, "-q", "-p", "-r", filepath.Dir(up), p.remote("tree")))
	for _, name := range []string{"a", "deep/b", "empty"} {
		s.content(name, p.Read(t, p.folder+"/tree/"+name))
	}
	down := filepath.Join(p.Home, protocol, "down")
	s.result(p.Run(t, "scp", protocol, "-q", "-r", p.remote("tree"), down))
	for _, name := range []string{"a", "deep/b", "empty"} {
		s.content(name, read(t, filepath.Join(down, name)))
	}
	failed := p.Run(t, "scp", protocol, "-q", p.remote("not-there"), down)
	s.result(harness.Result{Code: failed.Code})
	return s
}

// doesABatch has every command of sftp(1) that reaches the server.
func doesABatch(t *testing.T, p *place) (s seen) {
	p.Local(t, "local", noise(70_000))
	p.Local(t, "half", noise(70_000)[:30_000])
	batch := p.Local(t, "batch", []byte(strings.ReplaceAll(`
cd FOLDER
mkdir sub
put local first
put -p local sub/second
ls -1
ls -1 sub
put half half
reput local half
get first fetched
get -p sub/second fetched2
chmod 600 first
rename first renamed
ln renamed hard
symlink renamed soft
ln -s renamed soft2
ls -1
get soft fetched3
cp renamed copied
-chown 12345 renamed
-chgrp 12345 renamed
rm hard
rm soft soft2
-rm not-there
-rmdir sub
rm sub/second
rmdir sub
ls -1
df -h
-get not-there
`, "FOLDER", p.folder)))
	result := p.Run(t, "sftp", "-q", "-b", batch, p.Host)
	// What is told of the disk changes while anybody watches.
	hide := strings.NewReplacer(p.folder, "FOLDER")
	var lines []string
	for line := range strings.Lines(hide.Replace(result.Out)) {
		if !strings.Contains(line, "%") {
			lines = append(lines, line)
		}
	}
	result.Out, result.Err = strings.Join(lines, ""), hide.Replace(result.Err)
	s.result(result)
	for _, name := range []string{"renamed", "copied", "half"} {
		s.content(name, p.Read(t, p.folder+"/"+name))
	}
	for _, name := range []string{"fetched", "fetched2", "fetched3"} {
		s.content(name, read(t, filepath.Join(p.Home, name)))
	}
	return s
}

func synchronises(t *testing.T, p *place) (s seen) {
	content := noise(1 << 20)
	p.Local(t, "tree/big", content)
	p.Local(t, "tree/deep/small", []byte("small"))
	local := filepath.Join(p.Home, "tree") + "/"
	matched := func(result harness.Result) {
		if result.Code != 0 {
			t.Fatalf("rsync: exit code %d: %s", result.Code, result)
		}
		for line := range strings.Lines(result.Out) {
			if strings.HasPrefix(line, "Matched data") || strings.HasPrefix(line, "Number of files") {
				s = append(s, line)
			}
		}
		s.result(harness.Result{Code: result.Code, Err: result.Err})
	}
	matched(p.Run(t, "rsync", "-rt", "--stats", local, p.remote("tree/")))
	content[500_000]++
	p.Local(t, "tree/big", content)
	matched(p.Run(t, "rsync", "-r", "--checksum", "--stats", local, p.remote("tree/")))
	s.content("big", p.Read(t, p.folder+"/tree/big"))
	s.content("small", p.Read(t, p.folder+"/tree/deep/small"))

	content[700_000]++
	p.Write(t, p.folder+"/tree/big", content)
	matched(p.Run(t, "rsync", "-r", "--checksum", "--stats", p.remote("tree/"), local))
	s.content("big", read(t, local+"big"))
	return s
}

func clonesAndPushes(t *testing.T, p *place) (s seen) {
	repository := p.folder + "/site.git"
	p.Do(t, "ssh", p.Host, "cp -r /srv/git/site.git "+repository)
	clone := filepath.Join(p.Home, "site")
	s.result(p.Run(t, "git", "clone", "--quiet", "ssh://"+p.Host+repository, clone))
	s.content("index.html", read(t, filepath.Join(clone, "index.html")))
	p.Local(t, "site/added", noise(200_000))
	p.Do(t, "git", "-C", clone, "add", "added")
	p.Do(t, "git", "-C", clone, "commit", "--quiet", "-m", "Add a file", "--date=2031-05-04T00:00:00Z")
	s.result(p.Run(t, "git", "-C", clone, "push", "--quiet", "origin", "HEAD:main"))
	pushed := p.Do(t, "ssh", p.Host, "git -C "+repository+" show main:added | sha256sum")
	s = append(s, pushed)
	s.result(p.Run(t, "git", "-C", clone, "pull", "--quiet"))
	return s
}

func sharesAConnection(t *testing.T, p *place) (s seen) {
	socket := shortFolder(t) + "/socket"
	p.Start(t, "ssh", "-o", "ControlMaster=yes", "-S", socket, "-N", p.Host)
	harness.Eventually(t, harness.Patience, "the shared connection", func() (bool, string) {
		result := p.Run(t, "ssh", "-S", socket, "-O", "check", p.Host)
		return result.Code == 0, result.String()
	})
	several := make([]*harness.Psql, 8)
	for i := range several {
		several[i] = p.Start(t, "ssh", "-S", socket, p.Host, fmt.Sprintf("echo %d; exit %d", i, i))
	}
	for _, client := range several {
		_, code := client.Exit(t, harness.Patience)
		s = append(s, fmt.Sprintf("%d: %s%s", code, client.Out, client.Err))
	}
	s.result(p.Run(t, "ssh", "-S", socket, "-O", "exit", p.Host))
	return s
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return content
}
