package argv

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the corpus anew: then read what changed")

// A corpus is lines of two or more: the command line as a Go string, and below it,
// indented, what is made of it.
func TestTheCorpusIsReadAsItSays(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"lines", "programs"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := "testdata/" + name + ".txt"
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for row := range strings.Lines(string(want)) {
				if strings.HasPrefix(row, "#") || row == "\n" {
					got.WriteString(row)
				}
				if strings.HasPrefix(row, "`") || strings.HasPrefix(row, `"`) {
					got.WriteString(row + described(unquoted(t, row)))
				}
			}
			if *update {
				if err := os.WriteFile(file, []byte(got.String()), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func unquoted(t testing.TB, row string) string {
	t.Helper()
	line, err := strconv.Unquote(strings.TrimSuffix(row, "\n"))
	if err != nil {
		t.Fatalf("%q: %v", row, err)
	}
	return line
}

// described is what is made of a line, as the corpus has it.
func described(line string) string {
	var b strings.Builder
	l := Parse(line)
	for _, argv := range l.Commands {
		fmt.Fprintf(&b, "\t%q\n", argv)
	}
	if l.Opaque != "" {
		fmt.Fprintf(&b, "\topaque: %s\n", l.Opaque)
	}
	p := Classify(l)
	if p.Kind == KindExec {
		return b.String()
	}
	fmt.Fprintf(&b, "\t%s %q", p.Kind, p.Paths)
	b.WriteString(flags(p) + "\n")
	if p.Anywhere != "" {
		fmt.Fprintf(&b, "\tanywhere: %s\n", p.Anywhere)
	}
	if p.Unknown != "" {
		fmt.Fprintf(&b, "\tunknown: %s\n", p.Unknown)
	}
	return b.String()
}

func flags(p Program) (words string) {
	if p.Push {
		words += " push"
	}
	if p.Recursive {
		words += " recursive"
	}
	if p.Deletes {
		words += " deletes"
	}
	return words
}

// corpus is the command lines of the corpus.
func corpus(t testing.TB) (lines []string) {
	t.Helper()
	for _, name := range []string{"lines", "programs"} {
		file, err := os.ReadFile("testdata/" + name + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		for row := range strings.Lines(string(file)) {
			if strings.HasPrefix(row, "`") || strings.HasPrefix(row, `"`) {
				lines = append(lines, unquoted(t, row))
			}
		}
	}
	return lines
}
