package mask

// ipv4 finds an address in dotted decimal (RFC 6943, section 3.1.1, strict form) whose
// first number is text[i:j].
func (f *finder) ipv4(i, j int) {
	if !f.opens(i) || f.is(i-1, '.') {
		return
	}
	if end := f.dotted(i); end > 0 && f.closes(end) && (!f.is(end, '.') || !f.digitAt(end+1)) {
		f.add(i, end, f.set.anchors.ip)
	}
}

// dotted returns the end of four decimal numbers up to 255 at i, 0 if there are none.
func (f *finder) dotted(i int) int {
	for part := range 4 {
		if part > 0 {
			if !f.is(i, '.') {
				return 0
			}
			i++
		}
		n := f.run(i, 3)
		if n == 0 || n > 3 || n > 1 && f.text[i] == '0' || n == 3 && string(f.text[i:i+3]) > "255" {
			return 0
		}
		i += n
	}
	return i
}

// ipv6 finds an address (RFC 4291, section 2.2) at the first colon in it. With groups
// left out it must begin with a group of four digits from a range that is in use, or
// hold an IPv4 address: a::b and 1::2 are more often something else.
func (f *finder) ipv6(i int) {
	begin := i
	for begin > 0 && i-begin < 5 && hexValue(f.text[begin-1]) < 16 {
		begin--
	}
	if i-begin > 4 || !f.opens(begin) || f.is(begin-1, ':') || f.is(begin-1, '.') {
		return
	}
	if begin == i && !f.is(i+1, ':') {
		return
	}
	groups, first, elided, end := 0, 0, false, begin
	for p := begin; groups < 8; {
		value, n := f.hexGroup(p)
		if f.is(p+n, '.') && groups <= 6 {
			if v4 := f.dotted(p); v4 > 0 {
				if groups += 2; groups == 8 || elided {
					f.addIPv6(begin, v4)
				}
				return
			}
		}
		if n > 0 {
			if groups == 0 && p == begin && n == 4 {
				first = value
			}
			groups++
			end = p + n
		}
		p += n
		if !f.is(p, ':') || groups == 8 {
			break
		}
		if p++; f.is(p, ':') {
			if elided {
				return
			}
			elided = true
			p++
			end = p
		} else if _, n := f.hexGroup(p); n == 0 {
			break
		}
	}
	if elided && groups <= 7 && groups >= 2 && inUse(first) || !elided && groups == 8 {
		f.addIPv6(begin, end)
	}
}

func (f *finder) addIPv6(begin, end int) {
	if f.closes(end) && (!f.is(end, ':') || end+1 >= len(f.text) || hexValue(f.text[end+1]) >= 16) {
		f.add(begin, end, f.set.anchors.ip)
	}
}

// hexGroup reads up to four hexadecimal digits.
func (f *finder) hexGroup(i int) (value, n int) {
	for ; n < 4 && i+n < len(f.text); n++ {
		digit := hexValue(f.text[i+n])
		if digit == 16 {
			break
		}
		value = value<<4 | digit
	}
	return value, n
}

// inUse says whether addresses begin with this group: global unicast, unique local,
// link-local and multicast (IANA's registry of IPv6 address space).
func inUse(group int) bool {
	return group >= 0x2000 && group <= 0x3fff || group >= 0xfc00 && group <= 0xfdff ||
		group >= 0xfe80 && group <= 0xfebf || group >= 0xff00
}
