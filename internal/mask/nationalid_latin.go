package mask

// french finds a numéro d'inscription au répertoire in one run: sex, year, month,
// department (2A and 2B in Corsica), commune, order and a key of 97 less the remainder
// (INSEE).
func (f *finder) french(i, j int) (begin, end int) {
	var d [15]byte
	end = i + len(d)
	if end > len(f.text) {
		return 0, 0
	}
	copy(d[:], f.text[i:end])
	if j-i == 6 && f.run(j+1, 8) != 8 {
		return 0, 0
	}
	if !isFrench(d[:]) {
		return 0, 0
	}
	return i, end
}

// frenchGrouped finds it as printed on the carte Vitale.
func (f *finder) frenchGrouped(i int) (begin, end int) {
	const printed = "0 00 00 00 000 000 00"
	end = i + len(printed)
	if end > len(f.text) {
		return 0, 0
	}
	var d [15]byte
	n := 0
	for k := range len(printed) {
		c := f.text[i+k]
		if (printed[k] == ' ') != (c == ' ') {
			return 0, 0
		}
		if c != ' ' {
			d[n] = c
			n++
		}
	}
	if !isFrench(d[:]) {
		return 0, 0
	}
	return i, end
}

func isFrench(d []byte) bool {
	// Corsica counts as 19 and 18 in the key.
	var digits [15]byte
	copy(digits[:], d)
	switch string(d[5:7]) {
	case "2A":
		digits[5], digits[6] = '1', '9'
	case "2B":
		digits[5], digits[6] = '1', '8'
	}
	for _, c := range digits {
		if !isDigit(c) {
			return false
		}
	}
	month := number(digits[3:5])
	sexes := d[0] == '1' || d[0] == '2' || d[0] == '3' || d[0] == '4' || d[0] == '7' || d[0] == '8'
	months := month >= 1 && month <= 12 || month >= 20 && month <= 42 || month >= 50
	return sexes && months && number(digits[13:]) == 97-number(digits[:13])%97
}

// italian finds a codice fiscale (DM 23 December 1976) at the year in it: six letters,
// year, month, day, place and a check letter. Of two people with the same code one has
// letters in place of digits.
func (f *finder) italian(i int) (begin, end int) {
	begin, end = i-6, i+10
	if begin < 0 || end > len(f.text) {
		return 0, 0
	}
	sum := 0
	for k, c := range f.text[begin:end] {
		if isLetter(c) {
			c &^= 0x20
		}
		switch codiceFiscale[k] {
		case 'A':
			if !isUpper(c) {
				return 0, 0
			}
		case '0':
			if !isDigit(c) && !isOmocodia(c) {
				return 0, 0
			}
		}
		if k == 15 {
			break
		}
		value := int(c - '0')
		if isUpper(c) {
			value = int(c - 'A')
		}
		if k%2 == 0 { // the first, third, … character
			value = codiceFiscaleOdd[value]
		}
		sum += value
	}
	if f.text[end-1]&^0x20 != byte('A'+sum%26) {
		return 0, 0
	}
	return begin, end
}

const codiceFiscale = "AAAAAA00A00A000A"

// codiceFiscaleOdd has the values of characters in odd places.
var codiceFiscaleOdd = [26]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}

// isOmocodia says whether a letter stands in place of a digit.
func isOmocodia(c byte) bool {
	switch c {
	case 'L', 'M', 'N', 'P', 'Q', 'R', 'S', 'T', 'U', 'V':
		return true
	}
	return false
}
