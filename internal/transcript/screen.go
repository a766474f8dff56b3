package transcript

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// Filter passes on what draws on a terminal's own screen, and drops what acts beyond
// it: strings that set titles or the clipboard (OSC, DCS, APC, PM, SOS), questions that
// a terminal answers as if somebody had typed (DA, DSR, DECRQM, ENQ; CVE-2003-0063 and
// its many successors), modes that make it report mouse, focus or pastes, and
// bidirectional overrides (CVE-2021-42574). What it gives is UTF-8. The zero value is
// ready for use; a sequence may go on from one call to the next.
type Filter struct {
	pending []byte
	state   state
	private bool
	odd     bool
	params  []byte
	// dropped is how much of a string was, in characters.
	dropped int
}

type state int

const (
	ground state = iota
	escape
	escapeMore // between ESC with an intermediate byte and its final one
	control
	str       // within a string that is dropped
	strEscape // an ESC in it: perhaps its end
)

const (
	esc = 0x1b
	bel = 0x07
	can = 0x18
	sub = 0x1a
	// maxParams bounds a control sequence; a longer one is dropped.
	maxParams = 64
	// maxString bounds a string that is dropped: one that is not ended would hide whatever
	// comes after it.
	maxString = 64 << 10
)

// Write gives what may be shown of some output.
func (f *Filter) Write(output []byte) []byte {
	in := append(f.pending, output...)
	f.pending = nil
	out := make([]byte, 0, len(in))
	for len(in) > 0 {
		r, size := utf8.DecodeRune(in)
		if r == utf8.RuneError && size == 1 && !utf8.FullRune(in) {
			f.pending = bytes.Clone(in)
			break
		}
		in = in[size:]
		out = f.rune(out, r)
	}
	return out
}

func (f *Filter) rune(out []byte, r rune) []byte {
	if r == can || r == sub {
		f.state = ground // both cancel what was begun (ECMA-48, 8.3.6; DEC STD 070)
		return out
	}
	switch f.state {
	case ground:
		return f.plain(out, r)
	case escape:
		return f.escaped(out, r)
	case escapeMore:
		if r >= 0x30 {
			f.state = ground
		}
	case control:
		return f.controlled(out, r)
	case str:
		f.dropped++
		switch {
		case r == bel, r == 0x9c, f.dropped > maxString: // BEL and ST
			f.state = ground
		case r == esc:
			f.state = strEscape
		}
	case strEscape:
		if r == '\\' {
			f.state = ground
			break
		}
		// Terminals leave a string at any escape; what they showed then is shown here.
		return f.escaped(out, r)
	}
	return out
}

func (f *Filter) plain(out []byte, r rune) []byte {
	switch {
	case r == esc:
		f.state = escape
	case r == '\b', r == '\t', r == '\n', r == '\v', r == '\f', r == '\r', r == bel:
		return append(out, byte(r))
	case r == 0x9b: // CSI
		f.begin()
	case r == 0x90, r == 0x98, r == 0x9d, r == 0x9e, r == 0x9f: // DCS SOS OSC PM APC
		f.state, f.dropped = str, 0
	case r < 0x20, r >= 0x7f && r < 0xa0, unicode.Is(unicode.Bidi_Control, r):
	default:
		return utf8.AppendRune(out, r)
	}
	return out
}

// begin is CSI, the start of a control sequence (ECMA-48, 5.4).
func (f *Filter) begin() {
	f.state, f.private, f.odd, f.params = control, false, false, f.params[:0]
}

func (f *Filter) escaped(out []byte, r rune) []byte {
	f.state = ground
	switch r {
	case '[':
		f.begin()
	case ']', 'P', 'X', '^', '_':
		f.state, f.dropped = str, 0
	case esc:
		f.state = escape
	case '7', '8', 'D', 'E', 'M': // save and restore the cursor, index, next line, reverse index
		return append(out, esc, byte(r))
	default:
		if r >= 0x20 && r < 0x30 { // a character set, among others
			f.state = escapeMore
		}
	}
	return out
}

// drawing are the final bytes of sequences that only move the cursor, erase, scroll,
// insert, delete or colour.
const drawing = "@ABCDEFGHIJKLMPSTXZ`adefmrsu"

func (f *Filter) controlled(out []byte, r rune) []byte {
	switch {
	case r == esc:
		f.state = escape
		return out
	case r >= '<' && r <= '?':
		f.private = true
		f.odd = f.odd || r != '?' || len(f.params) > 0
		return out
	case r >= '0' && r <= ';':
		if len(f.params) >= maxParams {
			f.odd = true
			return out
		}
		f.params = append(f.params, byte(r))
		return out
	case r >= 0x20 && r < 0x30:
		f.odd = true
		return out
	case r < 0x20 || r > 0x7e:
		return out // executed or ignored amid a sequence; not worth a cell here
	}
	f.state = ground
	switch {
	case f.odd, r == 'J' && string(f.params) == "3", r == 'T' && bytes.ContainsRune(f.params, ';'):
		// Odd ones, erasing what was scrolled away, and xterm's highlight tracking.
	case f.private && (r == 'h' || r == 'l') && f.harmless():
		out = append(out, esc, '[', '?')
		return append(append(out, f.params...), byte(r))
	case !f.private && bytes.ContainsRune([]byte(drawing), r),
		!f.private && (r == 'h' || r == 'l') && string(f.params) == "4": // insert mode
		out = append(out, esc, '[')
		return append(append(out, f.params...), byte(r))
	}
	return out
}

// harmless says that a private mode changes only the screen: wrapping, the cursor's
// look, the alternate screen.
func (f *Filter) harmless() bool {
	for mode := range bytes.SplitSeq(f.params, []byte{';'}) {
		switch string(mode) {
		case "6", "7", "12", "25", "47", "1047", "1048", "1049":
		default:
			return false
		}
	}
	return true
}
