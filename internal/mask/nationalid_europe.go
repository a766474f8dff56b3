package mask

// isGerman: the Steuer-Identifikationsnummer has a check digit of ISO/IEC 7064 MOD 11,10,
// and among its first ten digits exactly one that stands two or three times.
func isGerman(d []byte) bool {
	if d[0] == '0' {
		return false
	}
	var times [10]int
	product := 10
	for _, c := range d[:10] {
		times[c-'0']++
		sum := (int(c-'0') + product) % 10
		if sum == 0 {
			sum = 10
		}
		product = sum * 2 % 11
	}
	repeated := 0
	for _, n := range times {
		if n > 3 {
			return false
		}
		if n > 1 {
			repeated++
		}
	}
	return repeated == 1 && (11-product)%10 == int(d[10]-'0')
}

// germanGrouped finds it as printed.
func (f *finder) germanGrouped(i int) (begin, end int) {
	var d [11]byte
	if end = f.layout(i, "00 000 000 000", d[:]); end == 0 || !isGerman(d[:]) {
		return 0, 0
	}
	return i, end
}

// isPolish: the PESEL begins with a date of birth, the century in the month, and has a
// weighted check digit.
func isPolish(d []byte) bool {
	month, day := number(d[2:4])%20, number(d[4:6])
	return month >= 1 && month <= 12 && day >= 1 && day <= 31 &&
		weighted(d, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)%10 == 0
}

// isBelgian: the national register number begins with a date of birth, of which the
// month may be raised by 20 or 40, and ends with 97 less the remainder of the rest,
// which has a 2 before it for those born from 2000 on.
func isBelgian(d []byte) bool {
	month, day := number(d[2:4])%20, number(d[4:6])
	if number(d[2:4]) >= 60 || month > 12 || day > 31 || number(d[6:9]) == 0 {
		return false
	}
	n, check := number(d[:9]), number(d[9:])
	return 97-n%97 == check || 97-(2_000_000_000+n)%97 == check
}

// belgianGrouped finds it as printed.
func (f *finder) belgianGrouped(i int) (begin, end int) {
	var d [11]byte
	if end = f.layout(i, "00.00.00-000.00", d[:]); end == 0 || !isBelgian(d[:]) {
		return 0, 0
	}
	return i, end
}

// isSwiss: the AHV number begins with the country, 756, and has the check digit of an EAN.
func isSwiss(d []byte) bool {
	return string(d[:3]) == "756" && weighted(d, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1)%10 == 0
}

// swissGrouped finds it as printed.
func (f *finder) swissGrouped(i int) (begin, end int) {
	var d [13]byte
	if end = f.layout(i, "000.0000.0000.00", d[:]); end == 0 || !isSwiss(d[:]) {
		return 0, 0
	}
	return i, end
}

// dutch finds a burgerservicenummer, which passes the eleven test, only with its name
// before it: one in eleven numbers of nine digits passes.
func (f *finder) dutch(i, j int) (begin, end int) {
	const farthestName = 24
	d := f.text[i:j]
	if weighted(d, 9, 8, 7, 6, 5, 4, 3, 2, -1)%11 != 0 {
		return 0, 0
	}
	for p := i - 3; p >= 0 && p >= i-farthestName; p-- {
		if f.text[p]|0x20 == 'b' && f.text[p+1]|0x20 == 's' && f.text[p+2]|0x20 == 'n' {
			return i, j
		}
	}
	return 0, 0
}

// spanish finds a DNI (eight digits) or NIE (X, Y or Z and seven) with the letter that
// the remainder modulo 23 gives (Real Decreto 1553/2005).
func (f *finder) spanish(i, j int) (begin, end int) {
	begin, n := i, number(f.text[i:j])
	if j-i == 7 {
		if f.is(begin-1, '-') {
			begin--
		}
		if begin == 0 {
			return 0, 0
		}
		begin--
		prefix := f.text[begin] - 'X'
		if prefix > 2 {
			return 0, 0
		}
		n += int(prefix) * 10_000_000
	}
	if f.is(j, '-') {
		j++
	}
	if !f.is(j, "TRWAGMYFPDXBNJZSQVHLCKE"[n%23]) {
		return 0, 0
	}
	return begin, j + 1
}

// british finds a National Insurance number: two letters, six digits, A to D (HMRC
// manual NIM39110). It has no checksum, but a form of its own.
func (f *finder) british(i int) (begin, end int) {
	begin, end = i-2, i+7
	if begin < 0 || !f.britishLetters(begin, end-1) {
		return 0, 0
	}
	return begin, end
}

// britishGrouped finds it in pairs.
func (f *finder) britishGrouped(i int) (begin, end int) {
	var d [6]byte
	begin = i - 3
	if begin < 0 || f.text[i-1] != ' ' || f.layout(i, "00 00 00 ", d[:]) == 0 || !f.britishLetters(begin, i+9) {
		return 0, 0
	}
	return begin, i + 10
}

func (f *finder) britishLetters(prefix, suffix int) bool {
	if suffix >= len(f.text) || f.text[suffix]-'A' > 3 {
		return false
	}
	a, b := f.text[prefix], f.text[prefix+1]
	if !isUpper(a) || !isUpper(b) {
		return false
	}
	for _, never := range "DFIQUV" {
		if a == byte(never) || b == byte(never) {
			return false
		}
	}
	switch string([]byte{a, b}) {
	case "BG", "GB", "NK", "KN", "TN", "NT", "ZZ":
		return false
	}
	return b != 'O'
}
