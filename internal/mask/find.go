package mask

import (
	"cmp"
	"slices"
)

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
	found, tangled := f.found, f.tangled
	for i := range s.patterns {
		before := len(found)
		found = s.patterns[i].match(text, found)
		tangled = tangled || len(found) > before && before > f.base
	}
	if tangled {
		return append(found[:f.base], settled(found[f.base:])...)
	}
	return found
}

// settled puts findings in order and joins those that overlap.
func settled(found []Span) []Span {
	slices.SortFunc(found, func(a, b Span) int {
		return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(b.End, a.End), cmp.Compare(a.Detector, b.Detector))
	})
	last := 0
	for _, span := range found[1:] {
		if span.Begin < found[last].End {
			found[last].End = max(found[last].End, span.End)
			continue
		}
		last++
		found[last] = span
	}
	return found[:last+1]
}
