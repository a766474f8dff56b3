package mask

import "bytes"

// american finds a Social Security Number, 3-2-4 with hyphens or blanks, without the
// areas, groups and serials that are never given (20 CFR 422.103; SSA POMS RM 10201.035).
func (f *finder) american(i int) (begin, end int) {
	var d [9]byte
	if end = f.layout(i, "000-00-0000", d[:]); end == 0 {
		if end = f.layout(i, "000 00 0000", d[:]); end == 0 {
			return 0, 0
		}
	}
	area := number(d[:3])
	if area == 0 || area == 666 || area >= 900 || number(d[3:5]) == 0 || number(d[5:]) == 0 || f.continues(i) {
		return 0, 0
	}
	return i, end
}

// brazilianGrouped finds a CPF as printed.
func (f *finder) brazilianGrouped(i int) (begin, end int) {
	var d [11]byte
	if end = f.layout(i, "000.000.000-00", d[:]); end == 0 || !isBrazilian(d[:]) {
		return 0, 0
	}
	return i, end
}

// isBrazilian: the CPF has two check digits modulo 11; one digit eleven times is none.
func isBrazilian(d []byte) bool {
	if bytes.Count(d, d[:1]) == len(d) {
		return false
	}
	first := weighted(d, 10, 9, 8, 7, 6, 5, 4, 3, 2) * 10 % 11 % 10
	second := weighted(d, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2) * 10 % 11 % 10
	return int(d[9]-'0') == first && int(d[10]-'0') == second
}
