package terminal

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestREC3_ControlSequencesAreNeutralised(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"plain text", "looks right, Größe 日本 👍\n\tok", "looks right, Größe 日本 👍\n\tok"},
		{"clear the screen", "a\x1b[2Jb", `a\x1b[2Jb`},
		{"set the title", "\x1b]0;pwned\x07", `\x1b]0;pwned\x07`},
		{"overwrite the line", "deny\rapprove", `deny\x0dapprove`},
		{"backspace and delete", "x\b\x7f", `x\x08\x7f`},
		{"C1 control sequence introducer", "\u009b2J", `\u009b2J`},
		{"C1 as a bare byte", "\x9b2J", `\x9b2J`},
		{"right-to-left override", "\u202egpj.exe", `\u202egpj.exe`},
		{"zero width", "al\u200bice", `al\u200bice`},
		{"line separator", "a\u2028b", `a\u2028b`},
		{"tags", "\U000e0041", `\U000e0041`},
		{"NUL", "a\x00b", `a\x00b`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Clean(tt.text); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWhateverIsCleanIsSafeAndStaysAsItIs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOf(rapid.Byte()).Draw(t, "text"))
		clean := Clean(text)
		if !utf8.ValidString(clean) || strings.ContainsFunc(clean, dangerous) {
			t.Fatalf("%q is not safe", clean)
		}
		if Clean(clean) != clean {
			t.Fatalf("%q is cleaned again", clean)
		}
		if line := Line(text); strings.ContainsAny(line, "\n\t") {
			t.Fatalf("%q is more than a line", line)
		}
	})
}

func TestATableCleansItsCellsAndPrintsItsHeadersOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	table := NewTable(&out, "NAME", "REASON")
	table.Row("pay-1423", "two\nlines \x1b[31m")
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	table.Row("pay-1424", "")
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	want := "NAME       REASON\npay-1423   two lines \\x1b[31m\npay-1424   <none>\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestProgressThatIsNoTerminalPrintsEachChangeOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := NewProgress(&out)
	p.Say("waiting for %s", "review\x1b[2J")
	p.Say("waiting for %s", "review\x1b[2J")
	p.Say("active")
	p.Done()
	if want := "waiting for review\\x1b[2J\nactive\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
