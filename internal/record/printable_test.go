package record_test

import (
	"encoding/json"
	"errors"
	"reflect"
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

func TestREC3_JSONIsNeutralisedAndMeansTheSame(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		`{"a":"plain é😀"}`:                      `{"a":"plain é😀"}`,
		"{\"a\":\"\u009b31m\u202e\u2028\x7f\"}": `{"a":"\u009b31m\u202e\u2028\u007f"}`,
		"[\"\U000e0041\"]":                      `["\udb40\udc41"]`,
		"[\"\x9b31m\xff\"]":                     `["\ufffd31m\ufffd"]`,
	} {
		got := record.PrintableJSON([]byte(given))
		if string(got) != want {
			t.Errorf("%q: %q, not %q", given, got, want)
		}
		var before, after any
		if err := errors.Join(json.Unmarshal([]byte(given), &before), json.Unmarshal(got, &after)); err != nil || !reflect.DeepEqual(before, after) {
			t.Errorf("%q means %v, not %v (%v)", got, after, before, err)
		}
	}
}
