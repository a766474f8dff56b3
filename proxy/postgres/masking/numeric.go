package masking

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

// A numeric in binary format: the number of digits of base 10000, the weight of the
// first, a sign, the number of decimals, and the digits, 16 bits each (numeric_send).
const (
	numericHeader   = 8
	numericBase     = 10000
	numericNegative = 0x4000
	// maxNumericText bounds what is written out of a number.
	maxNumericText = 4096
)

// numericText appends a numeric as text. It fails for NaN, infinity and whatever is
// no numeric or too long.
func numericText(dst, raw []byte) ([]byte, bool) {
	if len(raw) < numericHeader {
		return dst, false
	}
	digits, weight := int(binary.BigEndian.Uint16(raw)), int(int16(binary.BigEndian.Uint16(raw[2:])))
	sign, scale := binary.BigEndian.Uint16(raw[4:]), int(binary.BigEndian.Uint16(raw[6:]))
	if len(raw) != numericHeader+2*digits || sign != 0 && sign != numericNegative || 4*(max(weight, 0)+1)+scale > maxNumericText {
		return dst, false
	}
	group := func(i int) int {
		if i < 0 || i >= digits {
			return 0
		}
		return int(binary.BigEndian.Uint16(raw[numericHeader+2*i:]))
	}
	if sign == numericNegative {
		dst = append(dst, '-')
	}
	begin := len(dst)
	for i := 0; i <= weight; i++ {
		g := group(i)
		if g >= numericBase {
			return dst[:begin], false
		}
		if len(dst) == begin {
			if g > 0 {
				dst = strconv.AppendInt(dst, int64(g), 10)
			}
			continue
		}
		dst = appendGroup(dst, g)
	}
	if len(dst) == begin {
		dst = append(dst, '0')
	}
	if scale == 0 {
		return dst, true
	}
	dst = append(dst, '.')
	whole := len(dst) + scale
	for i := weight + 1; len(dst) < whole; i++ {
		g := group(i)
		if g >= numericBase {
			return dst[:begin], false
		}
		dst = appendGroup(dst, g)
	}
	return dst[:whole], true
}

func appendGroup(dst []byte, g int) []byte {
	return append(dst, byte('0'+g/1000), byte('0'+g/100%10), byte('0'+g/10%10), byte('0'+g%10))
}

// appendNumeric appends an integer as a numeric in binary format.
func appendNumeric(dst []byte, n uint64) []byte {
	var groups [5]uint16
	first := len(groups)
	for ; n > 0; n /= numericBase {
		first--
		groups[first] = uint16(n % numericBase)
	}
	count := len(groups) - first
	dst = binary.BigEndian.AppendUint16(dst, uint16(count))
	dst = binary.BigEndian.AppendUint16(dst, uint16(max(count-1, 0)))
	dst = append(dst, 0, 0, 0, 0)
	for _, g := range groups[first:] {
		dst = binary.BigEndian.AppendUint16(dst, g)
	}
	return dst
}

// trimScale leaves out zeros that end a number's decimals: 1.50 and 1.5 are one value.
func trimScale(text []byte) []byte {
	if bytes.IndexByte(text, '.') < 0 {
		return text
	}
	return bytes.TrimSuffix(bytes.TrimRight(text, "0"), []byte("."))
}
