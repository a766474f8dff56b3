package mask

// is says whether the byte at i is c; i may be outside the text.
func (f *finder) is(i int, c byte) bool {
	return i >= 0 && i < len(f.text) && f.text[i] == c
}

// has says whether literal stands at i.
func (f *finder) has(i int, literal string) bool {
	return i+len(literal) <= len(f.text) && string(f.text[i:i+len(literal)]) == literal
}

// digitAt says whether a digit stands at i; i may be outside the text.
func (f *finder) digitAt(i int) bool {
	return i >= 0 && i < len(f.text) && isDigit(f.text[i])
}

// run counts the digits from i, up to one more than most.
func (f *finder) run(i, most int) int {
	n := 0
	for n <= most && f.digitAt(i+n) {
		n++
	}
	return n
}

// digitBefore says whether a digit that is not part of the value before stands at i. That
// value will be masked, and then it is the mask that stands there: so what is found
// does not depend on whether the text before is masked yet.
func (f *finder) digitBefore(i int) bool { return i >= f.edge && f.digitAt(i) }

// opens says whether a value may begin at i: not inside a word. The end of the value
// before is an edge as well.
func (f *finder) opens(i int) bool {
	return i == 0 || i == f.edge || !isAlphanumeric(f.text[i-1])
}

// closes says whether a value may end before i: not inside a word.
func (f *finder) closes(i int) bool {
	return i >= len(f.text) || !isAlphanumeric(f.text[i])
}

// numberOpens is opens for digits: the fraction of a number is none.
func (f *finder) numberOpens(i int) bool {
	return f.opens(i) && (!f.is(i-1, '.') || !f.digitBefore(i-2))
}

// numberCloses is closes for digits: the whole part of a fraction is none.
func (f *finder) numberCloses(i int) bool {
	return f.closes(i) && (!f.is(i, '.') || !f.digitAt(i+1))
}

func isDigit(c byte) bool { return c-'0' <= 9 }

func isLetter(c byte) bool { return c|0x20-'a' < 26 }

func isUpper(c byte) bool { return c-'A' < 26 }

func isAlphanumeric(c byte) bool { return isDigit(c) || isLetter(c) }

// hexValue of a digit, or 16.
func hexValue(c byte) int {
	switch lower := c | 0x20; {
	case isDigit(c):
		return int(c - '0')
	case lower >= 'a' && lower <= 'f':
		return int(lower-'a') + 10
	}
	return 16
}
