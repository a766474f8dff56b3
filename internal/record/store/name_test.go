package store_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/record/store"
)

func TestANameIsParsedToWhatPrintsIt(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]store.Name{
		"a/00000001.seg":          {Session: "a", Kind: store.KindSegment, Number: 1},
		"a/99999999.sig":          {Session: "a", Kind: store.KindSignature, Number: 99_999_999},
		"Ab-9/journal-00000012":   {Session: "Ab-9", Kind: store.KindJournal, Number: 12},
		"a.rec":                   {Session: "a", Kind: store.KindLegacy},
		store.SegmentName("a", 7): {Session: "a", Kind: store.KindSegment, Number: 7},
	} {
		got, err := store.ParseName(name)
		if err != nil || got != want || got.String() != name {
			t.Errorf("%s: %+v, %q, %v", name, got, got.String(), err)
		}
	}
}

func TestREC3_OnlyNamesOfTheGrammarAreParsed(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 65)
	for _, name := range []string{
		"", ".", "..", "/", "a", "a/", "/a", "../a/00000001.seg", "a/../b/00000001.seg", "a//00000001.seg", "./a/00000001.seg",
		"a/1.seg", "a/000000001.seg", "a/00000000.seg", "a/+0000001.seg", "a/-0000001.seg", "a/0000000a.seg", "a/00000001.SEG",
		"a/00000001", "a/00000001.", "a/00000001.rec", "a/00000001.journal", "a/00000001.seg.sig", "a/00000001.seg\n", "a/00000001.seg/",
		"a/journal-1", "a/journal-00000000", "a/journal-00000001.seg", "journal-00000001", "a\x00/00000001.seg", "a b/00000001.seg",
		".rec", "-a.rec", "a/b.rec", "a\\b.rec", long + ".rec", long + "/00000001.seg", "a/\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0661.seg",
	} {
		if parsed, err := store.ParseName(name); !errors.Is(err, store.ErrName) {
			t.Errorf("%q: %+v, %v", name, parsed, err)
		}
	}
}

func FuzzParseName(f *testing.F) {
	f.Add("a/00000001.seg")
	f.Fuzz(func(t *testing.T, name string) {
		if parsed, err := store.ParseName(name); err == nil && parsed.String() != name {
			t.Errorf("%q is %q", name, parsed.String())
		}
	})
}
