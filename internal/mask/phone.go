package mask

// international finds a number in international form (ITU-T E.164, E.123) at its +:
// 8 to 15 digits with the country's code first.
func (f *finder) international(i int) {
	if !f.opens(i) || !f.digitAt(i+1) || f.text[i+1] == '0' {
		return
	}
	if end, _ := f.subscriber(i + 1); end > 0 {
		f.add(i, end, f.set.anchors.phone)
	}
}

// subscriber reads country code and number at i, in groups that are up to two
// separators apart, and returns their end and how many groups there are; 0 if they
// are no number. What follows the longest number that can be is not part of it.
func (f *finder) subscriber(i int) (end, groups int) {
	most := 15
	if f.text[i] == '1' { // North American Numbering Plan: ten digits follow
		most = 11
	}
	for n := 0; ; groups++ {
		length := f.run(i, most-n)
		if n += length; n > most {
			break
		}
		if i += length; n >= 8 && (n == most || most == 15) && f.closes(i) {
			end = i
		}
		next := i
		for next < i+2 && next < len(f.text) && isPhoneSeparator(f.text[next]) {
			next++
		}
		if next == i || !f.digitAt(next) {
			break
		}
		i = next
	}
	return end, groups
}

func isPhoneSeparator(c byte) bool {
	return c == ' ' || c == '-' || c == '.' || c == '/' || c == '(' || c == ')'
}

// nationalPhone finds a number in national form whose first run of digits is
// text[i:j]: only with separators, because a bare run of digits may be anything.
func (f *finder) nationalPhone(i, j int) {
	if f.text[i] == '0' {
		f.trunk(i, j)
		return
	}
	if j-i == 3 && f.text[i] >= '2' {
		f.nanp(i, j)
	}
}

// nanp finds a number of the North American Numbering Plan: 212-555-0123,
// 212.555.0123, (212) 555-0123, with or without 1 before.
func (f *finder) nanp(i, j int) {
	begin, next := i, j+1
	switch {
	case f.is(i-1, '(') && f.is(j, ')'):
		begin--
		if f.is(next, ' ') || f.is(next, '-') {
			next++
		}
	case !f.is(j, '-') && !f.is(j, '.'):
		return
	}
	if f.run(next, 3) != 3 || f.text[next] < '2' {
		return
	}
	sep := next + 3
	if !f.is(sep, '-') && !f.is(sep, '.') || begin == i && f.text[sep] != f.text[j] {
		return
	}
	end := sep + 5
	if f.run(sep+1, 4) != 4 || !f.numberCloses(end) || f.is(end, '-') && f.digitAt(end+1) {
		return
	}
	if country := begin - 2; f.is(country, '1') && isPhoneSeparator(f.text[begin-1]) && f.numberOpens(country) {
		begin = country
	}
	if f.numberOpens(begin) && !f.continues(begin) {
		f.add(begin, end, f.set.anchors.phone)
	}
}

// trunk finds a number that begins with the trunk prefix 0 (020 7946 0958,
// 06 12 34 56 78, (030) 901820, 0171/1234567): 9 to 11 digits in groups of two or more,
// with one separator after the area code and one kind of it between the others; or
// with the international prefix 00.
func (f *finder) trunk(i, j int) {
	if !f.numberOpens(i) || f.continues(i) {
		return
	}
	if f.is(i+1, '0') {
		if j-i > 2 && f.text[i+2] != '0' {
			if end, groups := f.subscriber(i + 2); end > 0 && groups > 0 {
				f.add(i, end, f.set.anchors.phone)
			}
		}
		return
	}
	if j-i < 2 || j == len(f.text) {
		return
	}
	begin, n, next := i, j-i, j+1
	switch {
	case f.is(i-1, '(') && f.text[j] == ')':
		begin--
		if f.is(next, ' ') {
			next++
		}
	case !isPhoneSeparator(f.text[j]) || f.text[j] == '(' || f.text[j] == ')':
		return
	}
	end, sep := 0, byte(0)
	for {
		length := f.run(next, 9)
		if length < 2 {
			return
		}
		n += length
		end = next + length
		if n > 11 || end == len(f.text) || !isPhoneSeparator(f.text[end]) || !f.digitAt(end+1) ||
			sep != 0 && f.text[end] != sep {
			break
		}
		sep = f.text[end]
		next = end + 1
	}
	if n >= 9 && n <= 11 && f.closes(end) && !f.is(end, ':') {
		f.add(begin, end, f.set.anchors.phone)
	}
}

// continues says whether what begins at i goes on from a date, a time or a longer
// number before it.
func (f *finder) continues(i int) bool {
	return f.digitBefore(i-2) && (f.text[i-1] == '-' || f.text[i-1] == '/' || f.text[i-1] == ':')
}
