package mask

// nationalID finds numbers that states give to people, whose first run of digits is
// text[i:j]. A number is found by a checksum that few other numbers pass, by a form
// that nothing else has, or by its name before it.
func (f *finder) nationalID(i, j int) {
	var begin, end int
	switch j - i {
	case 1:
		begin, end = f.frenchGrouped(i)
	case 2:
		if begin, end = f.italian(i); end == 0 {
			if begin, end = f.britishGrouped(i); end == 0 {
				if begin, end = f.belgianGrouped(i); end == 0 {
					begin, end = f.germanGrouped(i)
				}
			}
		}
	case 3:
		if begin, end = f.american(i); end == 0 {
			if begin, end = f.brazilianGrouped(i); end == 0 {
				begin, end = f.swissGrouped(i)
			}
		}
	case 6:
		if begin, end = f.british(i); end == 0 {
			begin, end = f.french(i, j)
		}
	case 7, 8:
		begin, end = f.spanish(i, j)
	case 9:
		begin, end = f.dutch(i, j)
	case 11:
		if d := f.text[i:j]; isGerman(d) || isPolish(d) || isBelgian(d) || isBrazilian(d) {
			begin, end = i, j
		}
	case 13:
		if isSwiss(f.text[i:j]) {
			begin, end = i, j
		}
	case 15:
		begin, end = f.french(i, j)
	}
	if end > 0 && f.numberOpens(begin) && f.numberCloses(end) {
		f.add(begin, end, f.set.anchors.national)
	}
}

// layout reads digits at i as printed: in pattern, 0 stands for a digit and anything
// else for itself. It puts the digits into number and returns the end; 0 if the text
// is not laid out so, or goes on after it with the same sign and a digit.
func (f *finder) layout(i int, pattern string, number []byte) int {
	n := 0
	for k := range len(pattern) {
		if pattern[k] != '0' {
			if !f.is(i+k, pattern[k]) {
				return 0
			}
			continue
		}
		if !f.digitAt(i + k) {
			return 0
		}
		number[n] = f.text[i+k]
		n++
	}
	end := i + len(pattern)
	if f.digitAt(end) || f.digitAt(end+1) && (f.is(end, '-') || f.is(end, '.')) {
		return 0
	}
	return end
}

// weighted sums digits times weights.
func weighted(digits []byte, weights ...int) int {
	sum := 0
	for i, w := range weights {
		sum += w * int(digits[i]-'0')
	}
	return sum
}

func number(digits []byte) int {
	n := 0
	for _, d := range digits {
		n = n*10 + int(d-'0')
	}
	return n
}
