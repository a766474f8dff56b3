package argv

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// shells that the words are compared with. dash and bash are on every Debian.
var shells = [][]string{{"dash"}, {"bash"}, {"bash", "--posix"}}

// printer writes the words of each command p between marks that no word can have.
const printer = `p() { printf '%s\0' "` + "\x01" + `" p "$@" >&3; }; exec 3>&1; for line do printf '%s\0' "` + "\x02" + `"; eval "$line"; done`

// evaluate lets a shell run lines whose every command is p, and returns the words that
// each got.
func evaluate(t testing.TB, shell, lines []string) (commands [][][]string) {
	t.Helper()
	path, err := exec.LookPath(shell[0])
	if err != nil {
		t.Fatalf("%v: install %s", err, shell[0])
	}
	cmd := exec.Command(path, slices.Concat(shell[1:], []string{"-c", printer, "sh"}, lines)...)
	cmd.Env, cmd.Dir = []string{"PATH=/nonexistent", "LC_ALL=C.UTF-8"}, t.TempDir()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", shell, err)
	}
	for word := range bytes.SplitSeq(bytes.TrimSuffix(out, []byte{0}), []byte{0}) {
		last := len(commands) - 1
		switch {
		case string(word) == "\x02":
			commands = append(commands, nil)
		case string(word) == "\x01":
			commands[last] = append(commands[last], nil)
		default:
			of := commands[last]
			of[len(of)-1] = append(of[len(of)-1], string(word))
		}
	}
	if left, _ := os.ReadDir(cmd.Dir); len(left) > 0 {
		t.Fatalf("%v made %v", shell, left)
	}
	return commands
}

func TestShellsSeeTheWordsThatAreSeenHere(t *testing.T) {
	t.Parallel()
	var lines []string
	for _, line := range corpus(t) {
		// The same words behind p: what they run does not matter.
		if l := Parse("p " + line); l.Opaque == "" && len(l.Commands) == 1 {
			lines = append(lines, "p "+line)
		}
	}
	if len(lines) < 100 {
		t.Fatalf("only %d lines of the corpus are compared", len(lines))
	}
	compare(t, lines)
}

func TestShellsSeeTheWordsThatAreSeenHereInAnyLine(t *testing.T) {
	t.Parallel()
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{" p ", "; p ", "\np ", "&& p ", " ", "\t", "a", "b=c", "-n", "é", "~", "/", "%", ",", ":", "@", "]", "#", "=", "''", `""`}),
		rapid.SampledFrom([]string{"'", `"`, `\`, "$", "`", "*", "?", "[", "{", "}", "!", "^", "(", ")", "<", ">", "&", ";", "|", "\n"}),
		rapid.StringMatching(`'[a $"*\\;|&!~#\n-]{0,5}'`),
		rapid.StringMatching(`"([a *';|&!~#\n-]|\\[$"\\a'*]){0,5}"`),
		rapid.StringMatching(`\\[ -~]`),
	)
	line := rapid.Map(rapid.SliceOfN(piece, 1, 12), func(pieces []string) string { return "p " + strings.Join(pieces, "") })
	understood := 0
	rapid.Check(t, func(rt *rapid.T) {
		var lines []string
		for _, l := range rapid.SliceOfN(line, 50, 50).Draw(rt, "lines") {
			parsed := Parse(l)
			// The commands of a pipe write at once.
			if strings.Contains(l, "|") && len(parsed.Commands) > 1 {
				continue
			}
			if parsed.Opaque == "" && !slices.ContainsFunc(parsed.Commands, func(argv []string) bool { return argv[0] != "p" }) {
				lines = append(lines, l)
			}
		}
		understood += len(lines)
		compare(t, lines)
	})
	if understood < 100 {
		t.Errorf("only %d lines were understood", understood)
	}
}

// compare runs lines in every shell.
func compare(t testing.TB, lines []string) {
	t.Helper()
	if len(lines) == 0 {
		return
	}
	for _, shell := range shells {
		for i, got := range evaluate(t, shell, lines) {
			want := Parse(lines[i]).Commands
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%v reads %q otherwise (-here +there):\n%s", shell, lines[i], diff)
			}
		}
	}
}

func TestAShellReadsWhatIsQuotedAsTheSameWords(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		words := rapid.SliceOfN(rapid.StringOfN(rapid.RuneFrom([]rune("ab'\"\\$`*?~#!;|&<>(){}[]=-+ \t\né")), 0, 8, -1), 1, 5).Draw(rt, "words")
		line := Quote(append([]string{"p"}, words...))
		l := Parse(line)
		if diff := cmp.Diff([][]string{append([]string{"p"}, words...)}, l.Commands); diff != "" {
			rt.Fatalf("%s is opaque (%s) or other words (-want +got):\n%s", line, l.Opaque, diff)
		}
		for _, shell := range shells[:2] {
			if diff := cmp.Diff([][][]string{l.Commands}, evaluate(t, shell, []string{line})); diff != "" {
				rt.Fatalf("%v reads %s otherwise:\n%s", shell, line, diff)
			}
		}
	})
}

func TestALineIsBounded(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"bytes":    "p " + strings.Repeat("a", longestLine),
		"commands": strings.Repeat("p;", 3*mostCommands),
		"pipes":    strings.Repeat("p|", 3*mostCommands) + "p",
		"nesting":  strings.Repeat("(", 1000),
	} {
		if l := Parse(line); l.Opaque == "" || len(l.Opaque) > 200 {
			t.Errorf("%s: a line without bound is taken, or refused with %q", name, l.Opaque)
		}
	}
}

func TestThePackageRunsNothing(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(file, "_test.go") && (bytes.Contains(text, []byte(`"os"`)) || bytes.Contains(text, []byte(`"os/exec"`))) {
			t.Errorf("%s imports os", file)
		}
	}
}
