package masking

import (
	"encoding/binary"
	"encoding/json"
	"net/netip"
	"strconv"
	"unicode/utf8"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// minDigits is the shortest number that any detector knows.
const minDigits = 7

// A value may hold so many findings that what takes their place is many times as
// large. Of a long one they are counted window by window first.
const (
	scanWindow  = 1 << 20
	maxFindings = 1 << 17
)

// crowded says whether a value holds more findings than are masked one by one.
func (m *Masks) crowded(value []byte) bool {
	count := 0
	for at := 0; len(value) > scanWindow && at < len(value) && count <= maxFindings; at += scanWindow {
		m.finds(value[at:min(at+scanWindow, len(value))])
		count += len(m.found)
	}
	return count > maxFindings
}

// scan masks what detectors find in a value of a type that may hold text.
func (m *Masks) scan(dst, value []byte, c *column) (out []byte, null, same bool) {
	if m.crowded(value) {
		m.counts["crowded value"]++
		return dst, true, false
	}
	switch c.class {
	case classText, classXML:
		return m.scanText(dst, value)
	case classJSON:
		return m.scanJSON(dst, value)
	case classJSONB:
		if !c.binary {
			return m.scanJSON(dst, value)
		}
		if len(value) == 0 || value[0] != jsonbVersion {
			return dst, true, false
		}
		out, null, same = m.scanJSON(append(dst, jsonbVersion), value[1:])
		if same {
			return dst, false, true
		}
		return out, null, false
	case classDigits:
		return m.scanWhole(dst, value, m.digits(value, c), c)
	case classNet:
		return m.scanWhole(dst, value, m.address(value, c), c)
	case classBare, classOther:
	}
	if c.binary {
		return m.scanBinary(dst, value, c)
	}
	return m.scanShaped(dst, value)
}

func (m *Masks) finds(text []byte) bool {
	m.found = m.set.Find(text, m.found[:0])
	return len(m.found) > 0
}

func (m *Masks) scanText(dst, value []byte) (out []byte, null, same bool) {
	if !m.finds(value) {
		return dst, false, true
	}
	if first := m.found[0]; first.Begin == 0 && first.End == len(value) {
		if by := m.set.DetectorMask(first.Detector); by.How == v1alpha1.MaskNull {
			m.counts[by.Reason]++
			return dst, true, false
		}
	}
	return m.set.Scan(dst, value, m.counts), false, false
}

// scanJSON masks in place; where that leaves no JSON, as with a number, the whole
// becomes a JSON string.
func (m *Masks) scanJSON(dst, value []byte) (out []byte, null, same bool) {
	if !m.finds(value) {
		return dst, false, true
	}
	begin := len(dst)
	dst = m.set.Scan(dst, value, m.counts)
	if json.Valid(dst[begin:]) {
		return dst, false, false
	}
	m.scratch = append(m.scratch[:0], dst[begin:]...)
	return appendJSON(dst[:begin], m.scratch), false, false
}

// scanWhole masks a value whole when detectors find something in its text.
func (m *Masks) scanWhole(dst, value, text []byte, c *column) (out []byte, null, same bool) {
	if len(text) == 0 || !m.finds(text) {
		return dst, false, true
	}
	by := m.set.DetectorMask(m.found[0].Detector)
	m.counts[by.Reason]++
	out, null = m.masked(dst, value, by, c)
	return out, null, false
}

// digits are the text of a number, nil for a short one.
func (m *Masks) digits(value []byte, c *column) []byte {
	switch {
	case !c.binary && len(value) < minDigits:
		return nil
	case !c.binary && c.oid == typeNumeric:
		return trimScale(value)
	case !c.binary:
		return value
	case c.oid == typeInt8 && len(value) == 8:
		n := int64(binary.BigEndian.Uint64(value))
		if n > -1_000_000 && n < 1_000_000 {
			return nil
		}
		m.scratch = strconv.AppendInt(m.scratch[:0], n, 10)
		return m.scratch
	case c.oid == typeNumeric && len(value) > numericHeader+2:
		m.scratch, _ = numericText(m.scratch[:0], value)
		return trimScale(m.scratch)
	}
	return nil
}

// An inet or cidr in binary format: family, bits, whether it is a cidr, length, and
// the address (network_send).
const (
	inetHeader = 4
	inetIPv4   = 4
	inetIPv6   = 16
)

// address is the text of an inet or cidr, without the length of its prefix.
func (m *Masks) address(value []byte, c *column) []byte {
	if !c.binary {
		return value
	}
	if len(value) != inetHeader+inetIPv4 && len(value) != inetHeader+inetIPv6 {
		return nil
	}
	address, _ := netip.AddrFromSlice(value[inetHeader:])
	m.scratch = address.AppendTo(m.scratch[:0])
	return m.scratch
}

// scanBinary looks at the bytes of a type that is not known: as text where they are
// (enums, citext), element by element where they are an array of text, and else a
// finding makes the whole NULL.
func (m *Masks) scanBinary(dst, value []byte, c *column) (out []byte, null, same bool) {
	if printable(value) {
		return m.scanText(dst, value)
	}
	if out, same, ok := m.scanArray(dst, value); ok {
		return out, false, same
	}
	if !m.finds(value) {
		return dst, false, true
	}
	m.counts[m.set.DetectorMask(m.found[0].Detector).Reason]++
	return dst, true, false
}

// printable says whether bytes are a text.
func printable(value []byte) bool {
	for _, b := range value {
		if b < ' ' && b != '\t' && b != '\n' && b != '\r' {
			return false
		}
	}
	return utf8.Valid(value)
}

// scanShaped masks in the text form of an array or composite, if its structure stays
// the same and what was found can be no number or address of an element's own type;
// else it becomes NULL.
func (m *Masks) scanShaped(dst, value []byte) (out []byte, null, same bool) {
	if !m.finds(value) {
		return dst, false, true
	}
	begin, strict := len(dst), false
	for _, span := range m.found {
		strict = strict || !wordy(value[span.Begin:span.End])
	}
	dst = m.set.Scan(dst, value, m.counts)
	switch value[0] {
	case '{', '(':
		if strict || !sameShape(value, dst[begin:]) {
			return dst[:begin], true, false
		}
	case '[':
		return dst[:begin], true, false
	}
	return dst, false, false
}

// wordy says whether a text has a letter that no number or address has.
func wordy(text []byte) bool {
	for _, c := range text {
		if c == '@' || c > 'f' && c <= 'z' || c > 'F' && c <= 'Z' {
			return true
		}
	}
	return false
}

// sameShape says whether two texts of arrays or composites have the same structure.
func sameShape(a, b []byte) bool {
	for {
		var x, y byte
		x, a = structure(a)
		y, b = structure(b)
		if x != y {
			return false
		}
		if x == 0 {
			return true
		}
		if x == '"' {
			var closedA, closedB bool
			a, closedA = unquoted(a)
			b, closedB = unquoted(b)
			if !closedA || !closedB {
				return false
			}
		}
	}
}

// structure is the next byte that has a meaning, and what follows it; 0 is the end.
func structure(text []byte) (byte, []byte) {
	for i, c := range text {
		switch c {
		case '{', '}', '(', ')', ',', '"':
			return c, text[i+1:]
		case '\\':
			return c, nil
		}
	}
	return 0, nil
}

// unquoted is what follows a string whose opening quote has been read.
func unquoted(text []byte) (rest []byte, closed bool) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return text[i+1:], true
		}
	}
	return nil, false
}
