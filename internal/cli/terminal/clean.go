// Package terminal writes for people: text that others wrote cannot act on their
// terminal.
package terminal

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes text that somebody else wrote safe to show: control characters (C0,
// C1, DEL: ECMA-48), those that reorder or hide text (Unicode's format characters,
// CVE-2021-42574), and bytes that are not UTF-8 are spelled out. Newline and tab stay.
func Clean(text string) string {
	if !strings.ContainsFunc(text, dangerous) {
		return text
	}
	var out strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, text[0])
		case dangerous(r) && r < 0x80:
			fmt.Fprintf(&out, `\x%02x`, r)
		case dangerous(r) && r > 0xffff:
			fmt.Fprintf(&out, `\U%08x`, r)
		case dangerous(r):
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			out.WriteString(text[:size])
		}
		text = text[size:]
	}
	return out.String()
}

// Line is Clean on one line, for a cell of a table.
func Line(text string) string {
	return strings.Join(strings.Fields(Clean(text)), " ")
}

// dangerous says whether a rune acts on a terminal. RuneError is among them because
// it may stand for a byte that is not UTF-8.
func dangerous(r rune) bool {
	if r == '\n' || r == '\t' {
		return false
	}
	return r == utf8.RuneError || unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) ||
		unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
}
