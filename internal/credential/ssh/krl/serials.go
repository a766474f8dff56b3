package krl

import (
	"cmp"
	"encoding/binary"
	"math/big"
	"slices"
)

const (
	// maxBits of a bitmap: OpenSSH reads mpints of 16384 bits at most, sign included.
	maxBits = 16_000
	// rangeBits is how many bits a range takes, and denseBits how many a number of a
	// list does: what is nearer than that is smaller as a bitmap.
	rangeBits, denseBits = 128, 64
)

// part is a subsection of serial numbers.
type part struct {
	kind byte
	data []byte
}

// merge sorts the spans and joins those that overlap or touch.
func merge(spans []span) []span {
	sorted := slices.SortedFunc(slices.Values(spans), func(a, b span) int { return cmp.Compare(a.low, b.low) })
	var merged []span
	for _, next := range sorted {
		if n := len(merged); n > 0 && next.low-1 <= merged[n-1].high {
			merged[n-1].high = max(merged[n-1].high, next.high)
			continue
		}
		merged = append(merged, next)
	}
	return merged
}

// partition puts long runs into ranges, what is dense into bitmaps, and the rest into
// lists.
func partition(spans []span) []part {
	var parts []part
	var list []byte
	flush := func() {
		if len(list) > 0 {
			parts, list = append(parts, part{certSerialList, list}), nil
		}
	}
	for len(spans) > 0 {
		cluster := dense(spans)
		switch first := spans[0]; {
		case first.high-first.low >= rangeBits:
			flush()
			data := binary.BigEndian.AppendUint64(nil, first.low)
			parts = append(parts, part{certSerialRange, binary.BigEndian.AppendUint64(data, first.high)})
			cluster = 1
		case cluster > 1 || first.high > first.low:
			flush()
			parts = append(parts, part{certBitmap, bitmap(spans[:cluster])})
		default:
			list = binary.BigEndian.AppendUint64(list, first.low)
		}
		spans = spans[cluster:]
	}
	flush()
	return parts
}

// dense is how many spans, from the first, are near enough to each other for one bitmap.
func dense(spans []span) int {
	n := 1
	for n < len(spans) && spans[n].low-spans[n-1].high < denseBits &&
		spans[n].high-spans[n].low < rangeBits && spans[n].high-spans[0].low < maxBits {
		n++
	}
	return n
}

// bitmap is an offset, and a positive mpint with a bit for each number from there on.
func bitmap(spans []span) []byte {
	offset := spans[0].low
	bits := new(big.Int)
	for _, s := range spans {
		for distance := s.low - offset; distance <= s.high-offset; distance++ {
			bits.SetBit(bits, int(distance), 1)
		}
	}
	number := bits.Bytes()
	if number[0]&0x80 != 0 {
		number = append([]byte{0}, number...) // RFC 4251 section 5: else it is negative
	}
	return appendString(binary.BigEndian.AppendUint64(nil, offset), number)
}
