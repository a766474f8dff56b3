package terminal

import (
	"bytes"
	"testing"
)

func TestREC3_ATableNeutralisesItsCellsAndPrintsItsHeadersOnce(t *testing.T) {
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
	want := "NAME       REASON\npay-1423   two\\x0alines \\x1b[31m\npay-1424   <none>\n"
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
