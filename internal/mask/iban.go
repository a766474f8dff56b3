package mask

// account finds an International Bank Account Number (ISO 13616) by its check digits
// at i: two letters before them, the length that the country has registered, and the
// remainder 1 modulo 97 (ISO/IEC 7064). It may be printed in groups of four.
func (f *finder) account(i int) {
	begin := i - 2
	if begin < 0 || !isLetter(f.text[begin]) || !isLetter(f.text[begin+1]) || !f.opens(begin) {
		return
	}
	length := ibanLength(f.text[begin], f.text[begin+1])
	if length == 0 {
		return
	}
	grouped := f.is(begin+4, ' ')
	remainder, n, p := 0, 0, begin+4
	for ; n < length-4; n, p = n+1, p+1 {
		if grouped && n%4 == 0 && f.is(p, ' ') {
			p++
		}
		if p >= len(f.text) || !isAlphanumeric(f.text[p]) {
			return
		}
		remainder = mod97(remainder, f.text[p])
	}
	for _, c := range f.text[begin : begin+4] {
		remainder = mod97(remainder, c)
	}
	if remainder == 1 && f.closes(p) {
		f.add(begin, p, f.set.anchors.iban)
	}
}

// mod97 goes on with the remainder by one character; letters count 10 to 35.
func mod97(remainder int, c byte) int {
	if isDigit(c) {
		return (remainder*10 + int(c-'0')) % 97
	}
	return (remainder*100 + int(c|0x20-'a') + 10) % 97
}

// ibanLength of a country, 0 if it has no IBAN.
func ibanLength(a, b byte) int {
	return int(ibanLengths[int(a|0x20-'a')*26+int(b|0x20-'a')])
}

var ibanLengths = func() (lengths [26 * 26]uint8) {
	for country, length := range map[string]uint8{
		"AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27,
		"BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28,
		"EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23,
		"GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26,
		"IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21,
		"LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28,
		"NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22,
		"RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25,
		"SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
	} {
		lengths[int(country[0]-'A')*26+int(country[1]-'A')] = length
	}
	return lengths
}()
