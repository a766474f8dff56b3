package masking

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"github.com/sallyport/sallyport/internal/mask"
)

// hashed appends a value of the column's type made of the keyed hash of the one that
// it takes the place of: the same for the same value in text and in binary format.
// Types without one become NULL.
func hashed(dst, value []byte, by mask.Mask, c *column) (out []byte, null bool) {
	if !by.Keyed() {
		return dst, true
	}
	var room [96]byte
	text, ok := canonical(room[:0], value, c)
	if !ok {
		return dst, true
	}
	sum := by.Sum(text)
	number := binary.BigEndian.Uint64(sum[:])
	switch c.oid {
	case typeInt2:
		return appendNumber(dst, number>>49, 16, c.binary), false
	case typeInt4:
		return appendNumber(dst, number>>33, 32, c.binary), false
	case typeOID:
		// Beside the numbers that clients give a meaning to.
		return appendNumber(dst, number>>33|1<<14, 32, c.binary), false
	case typeInt8:
		return appendNumber(dst, number>>1, 64, c.binary), false
	case typeNumeric:
		return hashedNumeric(dst, number, c)
	case typeUUID:
		return appendUUID(dst, sum, c.binary), false
	}
	return dst, true
}

func appendNumber(dst []byte, n uint64, bits int, binary bool) []byte {
	if binary {
		return appendInteger(dst, int64(n), bits)
	}
	return strconv.AppendUint(dst, n, 10)
}

// maxNumericDigits of a hash in a numeric.
const maxNumericDigits = 16

// hashedNumeric appends an integer of as many digits as the column's precision has
// room for, if it has room for one.
func hashedNumeric(dst []byte, number uint64, c *column) (out []byte, null bool) {
	digits := maxNumericDigits
	if c.modifier >= 4 {
		// Precision in the upper half, scale in the lower 11 bits (numeric.c).
		precision, scale := int(c.modifier-4)>>16&0xffff, int(c.modifier-4)&0x7ff
		if scale >= 1024 {
			scale -= 2048
		}
		digits = min(digits, precision-max(scale, 0))
	}
	if digits < 1 {
		return dst, true
	}
	limit := uint64(1)
	for range digits {
		limit *= 10
	}
	number %= limit
	if c.binary {
		return appendNumeric(dst, number), false
	}
	return strconv.AppendUint(dst, number, 10), false
}

// appendUUID makes the hash a random UUID by its form (RFC 9562, version 4).
func appendUUID(dst []byte, sum [32]byte, binary bool) []byte {
	id := sum[:16]
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	if binary {
		return append(dst, id...)
	}
	for i, part := range [][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, part)
	}
	return dst
}

// canonical appends a value as the text that both formats have in common.
func canonical(dst, value []byte, c *column) (text []byte, ok bool) {
	if !c.binary {
		if c.oid == typeNumeric {
			value = trimScale(value)
		}
		return append(dst, value...), true
	}
	switch {
	case c.oid == typeInt2 && len(value) == 2:
		return strconv.AppendInt(dst, int64(int16(binary.BigEndian.Uint16(value))), 10), true
	case c.oid == typeInt4 && len(value) == 4:
		return strconv.AppendInt(dst, int64(int32(binary.BigEndian.Uint32(value))), 10), true
	case c.oid == typeOID && len(value) == 4:
		return strconv.AppendUint(dst, uint64(binary.BigEndian.Uint32(value)), 10), true
	case c.oid == typeInt8 && len(value) == 8:
		return strconv.AppendInt(dst, int64(binary.BigEndian.Uint64(value)), 10), true
	case c.oid == typeUUID && len(value) == 16:
		for i, part := range [][]byte{value[:4], value[4:6], value[6:8], value[8:10], value[10:]} {
			if i > 0 {
				dst = append(dst, '-')
			}
			dst = hex.AppendEncode(dst, part)
		}
		return dst, true
	case c.oid == typeNumeric:
		text, ok := numericText(dst, value)
		return trimScale(text), ok
	}
	return dst, false
}
