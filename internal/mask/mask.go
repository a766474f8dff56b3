package mask

import (
	"encoding/hex"
	"unicode/utf8"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Redacted stands in place of a redacted value. No detector finds it.
const Redacted = "[redacted]"

// HashPrefix begins every hash, 32 hexadecimal digits, so that a reader can tell one.
// No value that a detector finds can have it inside, so none goes over into a hash.
const HashPrefix = "#"

// hashBytes of the HMAC are shown: 128 bits, in which values do not collide by chance.
const hashBytes = 16

// Mask is one way to mask, and why.
type Mask struct {
	How      v1alpha1.MaskHow
	KeepLast int
	Constant string
	// Reason is told in the recording: "column public.orders.email", "detector card".
	Reason string

	hasher *hasher
}

// Keyed says whether the mask has a key to hash with.
func (m Mask) Keyed() bool { return m.hasher != nil }

// Text appends what stands in place of a whole value in text form. null says that
// NULL does; then nothing is appended. An unknown way redacts.
func (m Mask) Text(dst, value []byte) (out []byte, null bool) {
	switch m.How {
	case v1alpha1.MaskNull:
		return dst, true
	case v1alpha1.MaskConstant:
		return append(dst, m.Constant...), false
	case v1alpha1.MaskPartial:
		return appendPartial(dst, value, m.KeepLast), false
	case v1alpha1.MaskHash:
		if m.hasher == nil {
			return append(dst, Redacted...), false
		}
		sum := m.hasher.sum(value)
		return hex.AppendEncode(append(dst, HashPrefix...), sum[:hashBytes]), false
	default:
		return append(dst, Redacted...), false
	}
}

// Sum is the keyed hash of a value, for typed values that the engine encodes itself.
// Without a key it is zero: every value then becomes the same one.
func (m Mask) Sum(value []byte) [32]byte {
	if m.hasher == nil {
		return [32]byte{}
	}
	return m.hasher.sum(value)
}

// appendPartial appends a star for each character but the last keep ones, or but none
// when the value is less than twice as long. Bytes that are not UTF-8 count as one
// character each.
func appendPartial(dst, value []byte, keep int) []byte {
	length := utf8.RuneCount(value)
	if keep < 0 || length < 2*keep {
		keep = 0
	}
	for range length - keep {
		dst = append(dst, '*')
	}
	tail := len(value)
	for range keep {
		_, size := utf8.DecodeLastRune(value[:tail])
		tail -= size
	}
	return append(dst, value[tail:]...)
}
