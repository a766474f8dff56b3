package mask

import "slices"

// paymentCard finds a primary account number (ISO/IEC 7812-1) whose first run of
// digits is text[i:j]: 13 to 19 digits in one run, or in groups as cards show them,
// with an issuer's prefix, a length that the issuer uses, and Luhn's check digit.
func (f *finder) paymentCard(i, j int) {
	if !f.numberOpens(i) {
		return
	}
	var number [19]byte
	if j-i >= 13 {
		copy(number[:], f.text[i:j])
		if f.numberCloses(j) && isPaymentCard(number[:j-i]) {
			f.add(i, j, f.set.anchors.card)
		}
		return
	}
	if j == len(f.text) || f.text[j] != ' ' && f.text[j] != '-' {
		return
	}
	var ends [5]int
	groups, n := f.groups(i, f.text[j], &number, &ends)
	// 4-4-4-4 with up to three more; 4-6-5 and 4-6-4 of American Express and Diners.
	for ; groups >= 3; groups-- {
		end := ends[groups-1]
		if cardLayout(ends[:groups], i) && f.numberCloses(end) && isPaymentCard(number[:n]) {
			f.add(i, end, f.set.anchors.card)
			return
		}
		n -= end - ends[groups-2] - 1
	}
}

// groups reads up to five groups of digits from i with sep between them into number,
// and where each ends.
func (f *finder) groups(i int, sep byte, number *[19]byte, ends *[5]int) (groups, n int) {
	for groups < len(ends) {
		length := f.run(i, 6)
		if length == 0 || length > 6 || n+length > len(number) {
			break
		}
		n += copy(number[n:], f.text[i:i+length])
		i += length
		ends[groups] = i
		groups++
		if !f.is(i, sep) {
			break
		}
		i++
	}
	return groups, n
}

// cardLayout says whether groups that end at ends are printed so on cards.
func cardLayout(ends []int, begin int) bool {
	var length [5]int
	for k, end := range ends {
		length[k] = end - begin
		begin = end + 1
	}
	if len(ends) == 3 {
		return length[0] == 4 && length[1] == 6 && (length[2] == 5 || length[2] == 4)
	}
	return length[0] == 4 && length[1] == 4 && length[2] == 4 && length[3] == 4 && length[4] <= 3
}

// isPaymentCard says whether digits are the number of a card: issuer and Luhn.
func isPaymentCard(digits []byte) bool {
	return issued(digits) && luhn(digits)
}

// issued says whether an issuer has numbers of this prefix and length.
func issued(d []byte) bool {
	n := len(d)
	six := 0
	for _, c := range d[:6] {
		six = six*10 + int(c-'0')
	}
	two, three, four := six/10000, six/1000, six/100
	switch {
	case d[0] == '4': // Visa
		return n == 13 || n == 16 || n == 19
	case two >= 51 && two <= 55, four >= 2221 && four <= 2720: // Mastercard
		return n == 16
	case two == 34, two == 37: // American Express
		return n == 15
	case four >= 2200 && four <= 2204, // Mir
		four == 6011, three >= 644 && three <= 649, two == 65, // Discover
		four >= 3528 && four <= 3589,    // JCB
		two == 62, two == 81, two == 60, // UnionPay, RuPay
		three == 508, two == 82, four == 9792: // RuPay, Troy
		return n >= 16
	case three >= 300 && three <= 305, four == 3095, two == 36, two == 38, two == 39: // Diners Club
		return n == 14 || n >= 16
	case four == 5018, four == 5020, four == 5038, four == 5893, // Maestro
		four == 6304, four == 6759, four >= 6761 && four <= 6763:
		return true
	}
	return false
}

// luhn is the check of ISO/IEC 7812-1, annex B.
func luhn(digits []byte) bool {
	sum, double := 0, false
	for _, digit := range slices.Backward(digits) {
		d := int(digit - '0')
		if double {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
		double = !double
	}
	return sum%10 == 0
}
