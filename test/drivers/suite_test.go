package drivers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// suite is the tests of one driver, at the version that we test with.
type suite struct {
	name, module, version string
	// packages are those whose tests connect, below the module: "" is its root.
	packages []string
	// choose are flags that choose tests.
	choose []string
}

// chooses says whether the flags choose that top-level test.
func (s suite) chooses(test string) bool {
	flag := func(name string) string {
		if i := slices.Index(s.choose, name); i >= 0 {
			return s.choose[i+1]
		}
		return ""
	}
	skip := flag("-test.skip")
	return regexp.MustCompile(flag("-test.run")).MatchString(test) && (skip == "" || !regexp.MustCompile(skip).MatchString(test))
}

// packageLimit bounds the tests of one package.
const packageLimit = 2 * time.Minute

// maxWords bounds what is kept of a test's output, in bytes.
const maxWords = 8 << 10

// outcomes of tests, by name: "pgconn TestConnect/TCP" is pass, fail or skip.
type outcomes map[string]string

// source is the module's folder in Go's module cache.
func (s suite) source(t testing.TB) string {
	t.Helper()
	command := exec.Command("go", "mod", "download", "-json", s.module+"@"+s.version)
	command.Dir = t.TempDir() // Outside this module: what it requires is not to change.
	out, err := command.Output()
	var module struct{ Dir, Error string }
	if err := errors.Join(err, json.Unmarshal(out, &module)); err != nil || module.Error != "" {
		t.Fatalf("the sources of %s come through Go's module cache: %v %s", s.module, err, module.Error)
	}
	return module.Dir
}

// compiled is where a suite's test programs are, each in the folder that its
// package's test data is in.
type compiled struct {
	suite
	folder string
}

const program = "driver.test"

// compile copies the suite to where anybody may read it, and compiles its tests.
func (s suite) compile(t testing.TB) compiled {
	t.Helper()
	source, folder := s.source(t), readable(t)
	copyTree(t, source, folder)
	for _, name := range s.packages {
		command := exec.Command("go", "test", "-c", "-o", filepath.Join(folder, name, program), "./"+name)
		command.Dir = source // One place, so that Go's build cache holds the next time.
		command.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("compile the tests of %s/%s: %v\n%s", s.module, name, err, out)
		}
	}
	own(t, nobody, folder)
	return compiled{suite: s, folder: folder}
}

func copyTree(t testing.TB, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(to, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			err = os.Chmod(path, 0o755)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// report is the outcomes of tests, and what each said.
type report struct {
	outcomes
	words map[string]string
}

// run runs all tests in an environment, package after package. What failed runs once
// more, alone, since suites have tests that a busy machine fails; and so does what a
// test that took its program down left out.
func (c compiled) run(t testing.TB, environment []string) report {
	t.Helper()
	all := report{outcomes{}, map[string]string{}}
	for _, name := range c.packages {
		got := c.start(t, name, environment, c.choose...)
		for range maxDeaths {
			left := c.left(name, got)
			if len(left) == 0 {
				break
			}
			t.Logf("%s/%s: a test took its program down; %d run again", c.name, name, len(left))
			if len(left) > maxRepeats {
				got.take(c.start(t, name, environment, "-test.run", exactly(left...), "-test.parallel", "1"))
				continue
			}
			for _, test := range left {
				got.take(c.start(t, name, environment, "-test.run", exactly(test)))
			}
			break
		}
		for test, outcome := range got.outcomes {
			if outcome == died {
				got.outcomes[test] = "fail"
			}
		}
		failed := got.failed()
		for _, test := range failed[:min(len(failed), maxRepeats)] {
			again := c.start(t, name, environment, "-test.run", exactly(test))
			if again.outcomes[test] == "pass" {
				t.Logf("%s/%s: %s failed once, and passed alone", c.name, name, test)
			}
			got.take(again)
		}
		for test, outcome := range got.outcomes {
			full := strings.TrimSpace(name + " " + test)
			all.outcomes[full], all.words[full] = outcome, got.words[test]
		}
	}
	return all
}

// maxRepeats bounds how many tests of a package run once more, each alone.
const maxRepeats = 20

// maxDeaths is how many tests of a package may take their program down.
const maxDeaths = 4

var isTest = regexp.MustCompile("^(Test|Example|Fuzz)")

// left are the top-level tests that should have run, and did not.
func (c compiled) left(name string, got report) []string {
	list := exec.Command(filepath.Join(c.folder, name, program), append([]string{"-test.list", "."}, c.choose...)...)
	list.Dir = filepath.Join(c.folder, name)
	out, _ := list.Output() // lib/pq's ends with a look at a server that is not there.
	var left []string
	for test := range strings.FieldsSeq(string(out)) {
		if !isTest.MatchString(test) || !c.chooses(test) {
			continue
		}
		if outcome := got.outcomes[test]; outcome == "" || outcome == died {
			left = append(left, test)
		}
	}
	return left
}

func (r report) take(other report) {
	maps.Copy(r.outcomes, other.outcomes)
	maps.Copy(r.words, other.words)
}

// failed are the top-level tests that failed.
func (o outcomes) failed() []string {
	var list []string
	for test, outcome := range o {
		if outcome == "fail" && !strings.Contains(test, "/") {
			list = append(list, test)
		}
	}
	slices.Sort(list)
	return list
}

// exactly is the pattern of those top-level tests.
func exactly(tests ...string) string { return "^(" + strings.Join(tests, "|") + ")$" }

// start runs one package's tests as a user who is not root.
func (c compiled) start(t testing.TB, name string, environment []string, arguments ...string) report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), packageLimit+time.Minute)
	defer cancel()
	home := readable(t)
	line := append([]string{filepath.Join(c.folder, name, program),
		"-test.v=test2json", "-test.timeout", packageLimit.String(), "-test.parallel", "2", "-test.count", "1"}, arguments...)
	if os.Geteuid() == 0 {
		line = append(asNobody(t, home), line...)
	}
	tests := exec.CommandContext(ctx, line[0], line[1:]...)
	tests.Dir = filepath.Join(c.folder, name)
	tests.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "TZ=UTC"}, environment...)
	tests.WaitDelay = 10 * time.Second
	output := filepath.Join(t.TempDir(), "output")
	file, err := os.Create(output)
	if err != nil {
		t.Fatal(err)
	}
	tests.Stdout, tests.Stderr = file, file
	ran := tests.Run() // Its exit code says no more than its output.
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	got := parse(t, output)
	if ran != nil && len(got.outcomes) == 0 || ctx.Err() != nil {
		t.Fatalf("%s/%s ran no test to its end: %v\n%s", c.name, name, ran, got.words[""])
	}
	return got
}

// nobody is whom suites run as when we are root: some of their tests need a user
// who may not do everything.
const nobody = "nobody"

// asNobody begins a command line that runs the rest as nobody, with the names that
// lib/pq's tests of TLS want for the loopback address, and the shell that those of SSH do.
func asNobody(t testing.TB, home string) []string {
	t.Helper()
	own(t, nobody, home)
	folder := readable(t)
	accounts := fmt.Sprintf("root:x:0:0:root:/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:%s:/bin/sh\n", home)
	for name, content := range map[string]string{"hosts": "127.0.0.1 localhost postgres postgres-invalid\n", "passwd": accounts, "shadow": "nobody:NP:19000:0:99999:7:::\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"unshare", "--mount", "sh", "-c",
		`mount --bind "$0/hosts" /etc/hosts && mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/shadow" /etc/shadow && exec setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"`, folder}
}

// own makes a folder or file, and all that is in it, that user's if we are root.
func own(t testing.TB, user, path string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	if out, err := exec.Command("chown", "-R", user, path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// mark begins what the testing package says of a test, with -test.v=test2json.
const mark = "\x16"

// scratch is a test's own folder, which some name their parts by.
var scratch = regexp.MustCompile(`/[^ ']*/\d{3}/`)

// died is a test that began and has no end: its program died.
const died = "died"

// parse reads a test program's output.
func parse(t testing.TB, output string) report {
	t.Helper()
	content, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	got := report{outcomes{}, map[string]string{}}
	now := ""
	for part := range strings.SplitSeq(string(content), mark) {
		line, said, _ := strings.Cut(part, "\n")
		line = scratch.ReplaceAllString(line, "/")
		fields := strings.Fields(line)
		if len(fields) >= 3 && (fields[0] == "===" || fields[0] == "---") {
			now = fields[2]
			switch fields[1] {
			case "RUN":
				got.outcomes[now] = died
			case "PASS:", "FAIL:", "SKIP:":
				got.outcomes[now] = strings.ToLower(strings.TrimSuffix(fields[1], ":"))
			}
		} else {
			said = part
		}
		if len(got.words[now]) < maxWords {
			got.words[now] += said
		}
	}
	return got
}
