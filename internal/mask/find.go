package mask

// Span is where a detector found a value: text[Begin:End].
type Span struct{ Begin, End, Detector int }

// Counts of masked values by Mask.Reason.
type Counts map[string]int64

// Find appends the values that detectors find in text, in order and without overlaps.
// Where findings overlap, all that any of them covers is one span; it belongs to the
// detector whose finding begins first, then to the longest. Find takes time linear in
// the text, whatever the text, and allocates nothing unless it finds something.
func (s *Set) Find(text []byte, found []Span) []Span {
	if s == nil || len(s.detectors) == 0 || len(text) == 0 {
		return found
	}
	f := finder{set: s, text: text, found: found, base: len(found)}
	f.scan()
	for i := range s.patterns {
		f.match(&s.patterns[i])
	}
	return f.settle()
}
