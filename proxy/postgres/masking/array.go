package masking

import "encoding/binary"

// An array in binary format: the number of dimensions, whether it has NULLs, the
// elements' type, a length and a lower bound for each dimension; then the elements,
// each behind its length (array_send).
const (
	arrayHeader    = 12
	arrayDimension = 8
	maxDimensions  = 6
)

// scanArray masks the elements of an array of text; ok is false for anything else.
func (m *Masks) scanArray(dst, value []byte) (out []byte, same, ok bool) {
	if len(value) < arrayHeader {
		return dst, false, false
	}
	dimensions := binary.BigEndian.Uint32(value)
	element := column{oid: binary.BigEndian.Uint32(value[8:]), binary: true, does: doesScan}
	element.class = classOf(element.oid)
	if dimensions > maxDimensions || element.class == classOther || element.class == classBare {
		return dst, false, false
	}
	at := arrayHeader + arrayDimension*int(dimensions)
	if at > len(value) {
		return dst, false, false
	}
	begin, same := len(dst), true
	dst = append(dst, value[:at]...)
	for at < len(value) {
		if len(value)-at < 4 {
			return dst[:begin], false, false
		}
		size := int(int32(binary.BigEndian.Uint32(value[at:])))
		if size < -1 || size > len(value)-at-4 {
			return dst[:begin], false, false
		}
		if size == -1 {
			dst = append(dst, value[at:at+4]...)
			at += 4
			continue
		}
		length := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		changed, null, kept := m.scan(dst, value[at+4:at+4+size], &element)
		switch {
		case kept:
			dst = append(dst, value[at+4:at+4+size]...)
		case null:
			// The header says that there are NULLs.
			dst[begin+7], same = 1, false
			binary.BigEndian.PutUint32(dst[length:], ^uint32(0))
		default:
			dst, same = changed, false
		}
		if !null {
			binary.BigEndian.PutUint32(dst[length:], uint32(len(dst)-length-4))
		}
		at += 4 + size
	}
	if same {
		return dst[:begin], true, true
	}
	return dst, false, true
}
