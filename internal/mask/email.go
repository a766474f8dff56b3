package mask

// address finds an e-mail address (RFC 5321, addr-spec of RFC 5322 without quoted
// strings and domain literals; UTF-8 as in RFC 6531) around its @, which is
// text[sign:after]; in a URL it may be %40. The local part is taken as far back as it
// goes, and no further than the @ before.
func (f *finder) address(sign, after int) {
	begin := sign
	for begin > 0 && inLocalPart[f.text[begin-1]] {
		begin--
	}
	for begin < sign && f.text[begin] == '.' {
		begin++
	}
	if begin == sign {
		return
	}
	if end := f.domain(after); end > 0 {
		f.add(begin, end, f.set.anchors.email)
	}
}

// domain returns the end of a domain that begins at i: two labels at least, the last
// of which is letters, as all top-level domains are (RFC 3696, section 2) but those in
// Punycode; 0 if none is. What is written right after the letters is not part of it.
func (f *finder) domain(i int) (end int) {
	for labels := 1; ; labels++ {
		begin := i
		for i < len(f.text) && (isLetter(f.text[i]) || f.text[i] >= 0x80) {
			i++
		}
		letters := i
		for i < len(f.text) && inLabel(f.text[i]) {
			i++
		}
		if punycode := letters == begin+2 && f.has(letters, "--") && f.text[begin]|0x20 == 'x' && f.text[begin+1]|0x20 == 'n'; punycode {
			letters = i
		}
		if labels >= 2 && letters-begin >= 2 {
			end = letters
		}
		if i == begin || !f.is(i, '.') {
			return end
		}
		i++
	}
}

func inLabel(c byte) bool { return isAlphanumeric(c) || c == '-' || c >= 0x80 }

// inLocalPart has the characters of a local part that are seen in addresses; quotes,
// and signs that stand between values in URLs and lists, are not among them.
var inLocalPart = func() (set [256]bool) {
	for c := range set {
		set[c] = isAlphanumeric(byte(c)) || c >= 0x80
	}
	for _, c := range "._+-" {
		set[c] = true
	}
	return set
}()
