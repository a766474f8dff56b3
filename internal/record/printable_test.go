package record_test

import (
	"testing"

	"github.com/sallyport/sallyport/internal/record"
)

func TestREC3_ControlSequencesAreNeutralised(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"SELECT 1\n\tFROM é€😀":   "SELECT 1\n\tFROM é€😀",
		"\x1b[2J\x1b]0;owned\a":  `\x1b[2J\x1b]0;owned\x07`,
		"a\rb\bc\x7f":            `a\x0db\x08c\x7f`,
		"\u009b31m":              `\u009b31m`,
		"\u202eevil\u2066":       `\u202eevil\u2066`,
		"\xff\x00":               `\xff\x00`,
		"\u200bzero\u2028\ufeff": `\u200bzero\u2028\ufeff`,
		"\U000e0041":             `\U000e0041`,
		"\uFFFD":                 "\uFFFD",
	} {
		if got := record.Printable(given); got != want {
			t.Errorf("%q: %q, not %q", given, got, want)
		}
	}
	if got := record.PrintableLine("a\nb\tc"); got != `a\x0ab\x09c` {
		t.Error(got)
	}
}
