package wording

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestWhatFitsIsLeftAndWhatDoesNotIsCut(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		message string
		limit   int
		want    string
	}{
		"short":               {"denied", 10, "denied"},
		"just":                {"denied", 6, "denied"},
		"long":                {"denied by alice", 9, "denied…"},
		"before a long rune":  {"aé日本", 8, "aé…"},
		"in the room it fits": {"", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Fit(test.message, test.limit); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestACutMessageKeepsItsLimitItsStartAndItsEncoding(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		message := rapid.String().Draw(t, "message")
		limit := rapid.IntRange(len("…"), 64).Draw(t, "limit")
		got := Fit(message, limit)
		if len(got) > limit || !utf8.ValidString(got) {
			t.Fatalf("%q has %d bytes of %d, or is no text", got, len(got), limit)
		}
		if got != message && !strings.HasPrefix(message, strings.TrimSuffix(got, "…")) {
			t.Fatalf("%q does not begin as %q", got, message)
		}
	})
}
