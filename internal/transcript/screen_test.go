package transcript_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/internal/transcript"
)

func TestREC3_WhatDrawsOnAScreenPassesAndWhatActsBeyondItDoesNot(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain é 漢\r\n\t\b":                       "plain é 漢\r\n\t\b",
		"\x1b[1;38;5;196mred\x1b[0m":              "\x1b[1;38;5;196mred\x1b[0m",
		"\x1b[2J\x1b[10;20H\x1b[K\x1b[3A":         "\x1b[2J\x1b[10;20H\x1b[K\x1b[3A",
		"\x1b[?1049h\x1b[?25l\x1b[4h":             "\x1b[?1049h\x1b[?25l\x1b[4h",
		"\x1b7\x1b8\x1bM":                         "\x1b7\x1b8\x1bM",
		"a\x1b]0;title\ab":                        "ab",
		"a\x1b]52;c;cm0gLXJm\x1b\\b":              "ab",
		"a\x1bP+q544e\x1b\\b":                     "ab",
		"a\x1b_apc\x1b\\b\x1b^pm\x1b\\\x1bXs\a":   "ab",
		"\x1b[c\x1b[>c\x1b[6n\x1b[5n\x1b[21t":     "",
		"\x1b[?1000h\x1b[?2004h\x1b[?1004h":       "",
		"\x1b[?25;1000h":                          "",
		"\x1b[!p\x1b[4 q\x1b[?$p":                 "",
		"\x1bc\x1b(0\x1b=\x1b>x":                  "x",
		"\x05\x00\x07":                            "\x07",
		"\u009b31m\u009d0;t\u009cx":               "\x1b[31mx",
		"\u202eevil\u2066":                        "evil",
		"\xff\xfe":                                "\ufffd\ufffd",
		"\x1b[" + strings.Repeat("1;", 60) + "mx": "x",
		"\x1b\x1b[1mx":                            "\x1b[1mx",
		"\x1b[31\x1b[32mx":                        "\x1b[32mx",
		"a\x1b]0;t\x1b[1mb\x1b]0;t\x18c":          "a\x1b[1mbc",
		"a\x1b[1\x1ab\x1bP\x1b\x1b]52;c;x\ac":     "abc",
		"\x1b[3J\x1b[1;2;3;4;5Tx":                 "x",
		"a\x1b]" + strings.Repeat("x", 70_000):    "a" + strings.Repeat("x", 70_000-64<<10-1),
	} {
		if got := string((&transcript.Filter{}).Write([]byte(in))); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}

func TestAFilterDoesNotMindWhereOutputIsCut(t *testing.T) {
	t.Parallel()
	pieces := []string{"\x1b", "[", "]", "P", "?", "1", ";", "25", "h", "m", "c", "\a", "\\", "é", "\xc3", "\xff", "x", "\r\n", "漢", "\u202e", "\u009b"}
	rapid.Check(t, func(t *rapid.T) {
		in := strings.Join(rapid.SliceOf(rapid.SampledFrom(pieces)).Draw(t, "output"), "")
		whole, cut := &transcript.Filter{}, &transcript.Filter{}
		want := string(whole.Write([]byte(in)))
		got := ""
		for i := range len(in) {
			got += string(cut.Write([]byte(in[i : i+1])))
		}
		if got != want {
			t.Errorf("%q gives %q whole, %q in pieces", in, want, got)
		}
		if !utf8.ValidString(want) || strings.ContainsAny(want, "\u202e\u009b\x05") || strings.Contains(want, "\x1b]") {
			t.Errorf("%q lets through %q", in, want)
		}
	})
}
