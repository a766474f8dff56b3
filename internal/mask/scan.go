package mask

import "github.com/sallyport/sallyport/api/v1alpha1"

// Scan appends text to dst with whatever detectors find masked, and adds what it
// masked to counts, which may be nil. Inside text there is no NULL: How Null redacts
// there, as leaving the value out would join what stands on either side of it.
func (s *Set) Scan(dst, text []byte, counts Counts) []byte {
	return s.Apply(dst, text, s.Find(text, nil), counts)
}

// Apply is Scan for spans that Find has found in text.
func (s *Set) Apply(dst, text []byte, found []Span, counts Counts) []byte {
	end := 0
	for i, span := range found {
		dst = append(dst, text[end:span.Begin]...)
		next := len(text)
		if i+1 < len(found) {
			next = found[i+1].Begin
		}
		dst = s.replace(dst, text[:next], span)
		if counts != nil {
			counts[s.detectors[span.Detector].mask.Reason]++
		}
		end = span.End
	}
	return append(dst, text[end:]...)
}

// replace appends the mask of a span of text, which ends where the next span begins.
// What Partial keeps must not be a value itself, on its own or with the text that
// follows: user@example.com is, of a longer address.
func (s *Set) replace(dst, text []byte, span Span) []byte {
	m := s.detectors[span.Detector].mask
	begin := len(dst)
	dst, null := m.Text(dst, text[span.Begin:span.End])
	if null {
		return append(dst, Redacted...)
	}
	if m.How != v1alpha1.MaskPartial {
		return dst
	}
	end := len(dst)
	dst = append(dst, text[span.End:min(len(text), span.End+tailContext)]...)
	again := s.Find(dst[begin:], nil)
	dst = dst[:end]
	if len(again) > 0 && again[0].Begin < end-begin {
		dst = appendPartial(dst[:begin], text[span.Begin:span.End], 0)
	}
	return dst
}

// tailContext is how much of the text that follows can join what Partial keeps: more
// than any value has of fixed length.
const tailContext = 256
