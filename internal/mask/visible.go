package mask

// visible is what a terminal would show of a text, and where in the text that stands.
// Escape sequences (ECMA-48) are gone; one that moves the cursor is a line's end, as
// what follows stands elsewhere; a backspace takes the character before it back. Where
// a program draws a value out of order, or a value goes over the screen's edge by the
// program's own doing, it is not seen as one.
type visible struct {
	text []byte
	// from and to are where text[i] stands, without and with what it took back.
	from, to []int
	escapes  []escape
	// open is where an escape sequence begins that is not finished; the text's length
	// if none is.
	open int
}

// escape is a sequence at text[begin:end]. told says that it carries text of its own: a
// title, a clipboard.
type escape struct {
	begin, end int
	told       bool
}

// longestEscape is how long a sequence may be to be taken for one.
const longestEscape = 4096

const (
	bell      = 0x07
	backspace = 0x08
	esc       = 0x1b
)

// see reads text anew.
func (v *visible) see(text []byte) {
	v.text, v.from, v.to, v.escapes = v.text[:0], v.from[:0], v.to[:0], v.escapes[:0]
	v.open = len(text)
	taken := -1
	for i := 0; i < len(text); {
		c, begin := text[i], i
		switch c {
		case esc:
			end, shows, told := sequence(text, i)
			if end == 0 {
				v.open = i
				return
			}
			v.escapes = append(v.escapes, escape{i, end, told})
			i = end
			if shows == 0 {
				continue
			}
			c = shows
		case backspace:
			i++
			if last := len(v.text) - 1; last >= 0 && v.text[last] >= ' ' {
				if taken < 0 || v.from[last] < taken {
					taken = v.from[last]
				}
				v.text, v.from, v.to = v.text[:last], v.from[:last], v.to[:last]
			}
			continue
		default:
			i++
		}
		if taken >= 0 {
			begin, taken = taken, -1
		}
		v.text, v.from, v.to = append(v.text, c), append(v.from, begin), append(v.to, i)
	}
}

// sequence is the end of the escape sequence at text[i:], 0 if it is not finished; what
// it shows as: nothing, a blank, or a new line; whether it carries text.
func sequence(text []byte, i int) (end int, shows byte, told bool) {
	last := min(len(text), i+longestEscape)
	for j := i + 1; j < last; j++ {
		c := text[j]
		switch {
		case c >= ' ' && c < '0':
			continue
		case c == '[' && j == i+1:
			return control(text, i, last)
		case (c == ']' || c == 'P' || c == '^' || c == '_' || c == 'X') && j == i+1:
			return command(text, j+1, last)
		case c == 'D' || c == 'E' || c == 'M' || c == 'c':
			return j + 1, '\n', false
		}
		return j + 1, 0, false
	}
	return 0, 0, false
}

// control is a CSI sequence (ECMA-48, 5.4).
func control(text []byte, i, last int) (end int, shows byte, told bool) {
	for j := i + 2; j < last; j++ {
		switch c := text[j]; {
		case c >= ' ' && c < '@':
		case c == 'C':
			return j + 1, ' ', false
		case c == 'm' || c == 'K' || c == 'h' || c == 'l' || c == 'n' || c == 'q' || c == 'P' || c == '@' || c == 'X':
			return j + 1, 0, false
		case c < ' ':
			return j, 0, false
		default:
			return j + 1, '\n', false
		}
	}
	return unfinished(last, i)
}

// command is a control string (ECMA-48, 5.6), which ends with ST or, in use, a bell.
func command(text []byte, from, last int) (end int, shows byte, told bool) {
	for j := from; j < last; j++ {
		switch {
		case text[j] == bell:
			return j + 1, 0, true
		case text[j] == esc && j+1 < last && text[j+1] == '\\':
			return j + 2, 0, true
		case text[j] == esc && j+1 < last, text[j] == '\n':
			return j, 0, true
		}
	}
	return unfinished(last, from-2)
}

// unfinished is a sequence that may go on, unless it is longer than any.
func unfinished(last, begin int) (int, byte, bool) {
	if last-begin >= longestEscape {
		return last, '\n', true
	}
	return 0, 0, false
}
