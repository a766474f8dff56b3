package argv

import (
	"slices"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// FuzzParse compares with an expansion that has nothing to expand with, of the grammar
// of bash: whatever is understood is the same commands of the same words there.
func FuzzParse(f *testing.F) {
	for _, line := range corpus(f) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		l := Parse(line)
		if (l.Opaque == "") != (len(l.Commands) > 0) {
			t.Fatalf("%q is opaque (%s) and has %d commands", line, l.Opaque, len(l.Commands))
		}
		if l.Opaque != "" {
			return
		}
		if again, own := expanded(t, line); !own && !slices.EqualFunc(l.Commands, again, slices.Equal[[]string]) {
			t.Fatalf("%q is %q here and %q by expansion", line, l.Commands, again)
		}
		for _, argv := range l.Commands {
			if again := Parse(Quote(argv)); len(again.Commands) != 1 || !slices.Equal(again.Commands[0], argv) {
				t.Fatalf("%q, quoted, is %q", argv, again.Commands)
			}
		}
	})
}

// expanded is a line's commands by expansion; own says that bash gives one of its words a
// grammar of its own, though the words stay the same.
func expanded(t *testing.T, line string) (commands [][]string, own bool) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(line), "")
	if err != nil {
		t.Fatalf("bash's grammar does not have %q: %v", line, err)
	}
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CallExpr:
			words, err := expand.Fields(&expand.Config{}, n.Args...)
			if err != nil || len(n.Assigns) > 0 {
				t.Fatalf("%q expands: %v", line, err)
			}
			commands = append(commands, words)
		case nil, *syntax.File, *syntax.Stmt, *syntax.BinaryCmd, *syntax.Word, *syntax.Lit, *syntax.SglQuoted, *syntax.DblQuoted:
		case *syntax.TimeClause, *syntax.DeclClause, *syntax.LetClause:
			own = true
			return false
		default:
			t.Fatalf("%q has %T", line, n)
		}
		return true
	})
	return commands, own
}

// FuzzClassify wants the judgement to rest on the words alone: a line written otherwise
// with the same words is the same program, and every path that is not refused was a word.
func FuzzClassify(f *testing.F) {
	for _, line := range corpus(f) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		l := Parse(line)
		p := Classify(l)
		if p.Kind != KindExec && len(l.only) == 0 {
			t.Fatalf("%q is %s, of no words", line, p.Kind)
		}
		if p.Unknown == "" && p.Kind != KindExec && p.Kind != KindSFTP && len(p.Paths) == 0 {
			t.Fatalf("%q is %s of nothing", line, p.Kind)
		}
		if p.Anywhere != "" && !slices.Contains(p.Paths, "/") {
			t.Fatalf("%q reaches anywhere, and does not say so by its paths %q", line, p.Paths)
		}
		for _, path := range p.Paths {
			if p.Unknown == "" && path == "" {
				t.Fatalf("%q has an empty path", line)
			}
		}
		if l.Opaque == "" && len(l.Commands) == 1 {
			again := Classify(Parse(Quote(l.Commands[0])))
			if again.Kind != p.Kind || !slices.Equal(again.Paths, p.Paths) || again.Unknown != p.Unknown {
				t.Fatalf("%q is %+v, and quoted %+v", line, p, again)
			}
		}
	})
}
