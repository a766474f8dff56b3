package record

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// bare says that JSON writes the text as it is: no control character, quotation mark,
// backslash, or byte above ASCII. It looks at eight bytes at a time.
func bare(text string) bool {
	for ; len(text) >= 8; text = text[8:] {
		word := uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24 |
			uint64(text[4])<<32 | uint64(text[5])<<40 | uint64(text[6])<<48 | uint64(text[7])<<56
		quote, slash := word^(ones*'"'), word^(ones*'\\')
		// The subtraction sets a byte's high bit where the byte was less; a borrow can only
		// add to what was found below it.
		if (((word-ones*' ')&^word)|((quote-ones)&^quote)|((slash-ones)&^slash)|word)&highs != 0 {
			return false
		}
	}
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= 0x80 || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
