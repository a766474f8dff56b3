package record

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Printable is a text that a terminal shows and does not obey: control characters,
// escape sequences, bidirectional overrides (CVE-2021-42574), invisible characters and
// bytes that are not UTF-8 appear as escapes. Line feeds and tabs stay.
func Printable(text string) string {
	return neutralise(text, func(r rune) bool { return r == '\n' || r == '\t' })
}

// PrintableLine is Printable for what must stay on one line.
func PrintableLine(text string) string {
	return neutralise(text, func(rune) bool { return false })
}

func neutralise(text string, keep func(rune) bool) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) {
		return text
	}
	var out strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, text[i])
		case keep(r), unicode.IsPrint(r):
			out.WriteRune(r)
		case r < utf8.RuneSelf:
			fmt.Fprintf(&out, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			fmt.Fprintf(&out, `\U%08x`, r)
		}
		i += size
	}
	return out.String()
}

// PrintableJSON is JSON of the same meaning that a terminal shows and does not obey: what
// it might obey stands in strings alone, and becomes an escape there.
func PrintableJSON(encoded []byte) []byte {
	out := make([]byte, 0, len(encoded)+1)
	for len(encoded) > 0 {
		if i := bytes.IndexFunc(encoded, func(r rune) bool { return r < ' ' || r > '~' }); i != 0 {
			if i < 0 {
				i = len(encoded)
			}
			out, encoded = append(out, encoded[:i]...), encoded[i:]
			continue
		}
		r, size := utf8.DecodeRune(encoded)
		switch {
		case r == utf8.RuneError && size == 1:
			out = append(out, `\ufffd`...) // as every decoder reads it
		case unicode.IsPrint(r):
			out = append(out, encoded[:size]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		encoded = encoded[size:]
	}
	return out
}
