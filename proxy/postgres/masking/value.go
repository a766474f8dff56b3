package masking

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"unicode/utf8"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/mask"
)

// jsonbVersion begins a jsonb in binary format.
const jsonbVersion = 1

// masked appends what a mask puts in a value's place, legal for the column's type and
// format; null where nothing else is.
func (m *Masks) masked(dst, value []byte, by mask.Mask, c *column) (out []byte, null bool) {
	switch c.class {
	case classText:
		return by.Text(dst, value)
	case classXML:
		text, null := by.Text(m.scratch[:0], value)
		m.scratch = text
		return appendXML(dst, text), null
	case classJSON:
		text, null := by.Text(m.scratch[:0], value)
		m.scratch = text
		return appendJSON(dst, text), null
	case classJSONB:
		if c.binary {
			if len(value) == 0 || value[0] != jsonbVersion {
				return dst, true
			}
			dst, value = append(dst, jsonbVersion), value[1:]
		}
		text, null := by.Text(m.scratch[:0], value)
		m.scratch = text
		return appendJSON(dst, text), null
	case classDigits, classNet, classBare, classOther:
	}
	switch by.How {
	case v1alpha1.MaskConstant:
		fixed := c.constant
		if by.Reason != c.mask.Reason {
			fixed = constant(by, c)
		}
		return append(dst, fixed...), fixed == nil
	case v1alpha1.MaskHash:
		return hashed(dst, value, by, c)
	case v1alpha1.MaskNull, v1alpha1.MaskPartial, v1alpha1.MaskRedact:
	}
	return dst, true
}

// appendJSON appends text as a JSON string. What is not UTF-8 becomes U+FFFD.
func appendJSON(dst, text []byte) []byte {
	if !utf8.Valid(text) {
		text = bytes.ToValidUTF8(text, []byte("\uFFFD"))
	}
	encoded, err := json.Marshal(string(text))
	if err != nil {
		return append(dst, `"`+mask.Redacted+`"`...)
	}
	return append(dst, encoded...)
}

func appendXML(dst, text []byte) []byte {
	var escaped bytes.Buffer
	if err := xml.EscapeText(&escaped, text); err != nil {
		return append(dst, mask.Redacted...)
	}
	return append(dst, escaped.Bytes()...)
}
