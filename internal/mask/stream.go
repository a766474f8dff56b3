package mask

import (
	"bytes"
	"cmp"
	"slices"
)

// Stream masks a text that comes in pieces, cut anywhere: what it gives out is what Scan
// makes of the whole. It gives out what is decided and holds the rest, at most
// MostHeld bytes. It looks at what a terminal would show, so that colours and
// backspaces do not hide a value.
//
// What it cannot do: a value that goes on after MostHeld bytes without a line's end is
// masked up to there; a pattern's match is followed over 4 KiB; and Settle, for those who
// cannot wait, may show the first half of a value that then goes on.
//
// A Stream is not safe for concurrent use, and knows no clock.
type Stream struct {
	set    *Set
	counts Counts
	// ahead is how far after a place one must see to decide on it.
	ahead int

	// text is what is looked at: text[:out] was given out, the rest is held.
	text []byte
	out  int
	// masked is how far text[:out] ends in a mask.
	masked int
	// swallow drops the rest of a word whose beginning was masked.
	swallow bool

	shown visible
	found []finding
	spans []Span
	reach []int
}

// MostHeld bounds what a stream holds, in bytes.
const MostHeld = 64 << 10

const (
	// leastAhead is more than any value of fixed length, and what Partial looks at.
	leastAhead = 512
	// mostInLine is from when on a line may be cut at a blank.
	mostInLine = 8 << 10
	// mostAtOnce of a piece is looked at together.
	mostAtOnce = 32 << 10
)

// finding is a span of text; of what is shown, shown[first:last].
type finding struct {
	Span
	first, last int
	// told: it stands in an escape sequence.
	told bool
}

// NewStream masks with set. What it masks is added to counts, which may be nil.
func NewStream(set *Set, counts Counts) *Stream {
	s := &Stream{set: set, counts: counts, ahead: leastAhead}
	if set == nil {
		return s
	}
	for _, p := range set.patterns {
		s.ahead = max(s.ahead, leastAhead+cmp.Or(p.longest, farthestMatch))
	}
	return s
}

// Write takes a piece, and appends to dst what is decided.
func (s *Stream) Write(dst, piece []byte) []byte {
	if !s.set.Detects() {
		return append(dst, piece...)
	}
	for len(piece) > 0 {
		n := min(len(piece), mostAtOnce)
		dst = s.write(dst, piece[:n])
		piece = piece[n:]
	}
	return dst
}

func (s *Stream) write(dst, piece []byte) []byte {
	for s.swallow && len(piece) > 0 {
		if s.swallow = inWord(piece[0]); s.swallow {
			piece = piece[1:]
		}
	}
	s.text = append(s.text, piece...)
	s.look()
	if cut := s.cut(); cut > 0 {
		dst = s.give(dst, cut)
		s.drop(cut)
	}
	if s.Held() > MostHeld-mostAtOnce {
		s.look()
		dst = s.give(dst, max(s.out, min(s.shown.open, len(s.text)-s.ahead)))
		if s.out == len(s.text) {
			s.swallow = s.masked == s.out && s.masked > 0
			s.forget()
		}
	}
	if s.out > 2*mostInLine {
		s.drop(s.out - mostInLine)
	}
	return dst
}

// Pass appends a piece as it is: what a client typed, and the terminal repeats. It does
// so only when nothing is held, else it is Write.
func (s *Stream) Pass(dst, piece []byte) []byte {
	if s.Held() > 0 || s.swallow {
		return s.Write(dst, piece)
	}
	if s.set.Detects() {
		s.text = append(s.text, piece...)
		s.out = len(s.text)
		if s.out > 2*mostInLine {
			s.drop(s.out - mostInLine)
		}
	}
	return append(dst, piece...)
}

// Settle appends what is held but does not look like the beginning of a value, for a
// reader that waits.
func (s *Stream) Settle(dst []byte) []byte {
	if s.Held() == 0 {
		return dst
	}
	s.look()
	return s.give(dst, s.candidate())
}

// Mask appends a mask for what is held still, and forgets all: a value whose end does
// not come.
func (s *Stream) Mask(dst []byte) []byte {
	dst = s.Settle(dst)
	if s.Held() == 0 {
		return dst
	}
	if s.masked < s.out || s.out == 0 {
		dst = append(dst, Redacted...)
		if s.counts != nil {
			s.counts["unfinished value"]++
		}
	}
	s.forget()
	return dst
}

// Flush appends all that is held: the text is over.
func (s *Stream) Flush(dst []byte) []byte {
	if s.Held() > 0 {
		s.look()
		dst = s.give(dst, len(s.text))
	}
	s.forget()
	return dst
}

// Held is how many bytes are held.
func (s *Stream) Held() int { return len(s.text) - s.out }

func (s *Stream) forget() { s.text, s.out, s.masked = s.text[:0], 0, 0 }

func (s *Stream) drop(n int) {
	s.text = append(s.text[:0], s.text[n:]...)
	s.out, s.masked = max(0, s.out-n), max(0, s.masked-n)
}

// look finds the values in text.
func (s *Stream) look() {
	s.found = s.found[:0]
	if bytes.IndexByte(s.text, esc) < 0 && bytes.IndexByte(s.text, backspace) < 0 {
		s.shown.text, s.shown.open, s.shown.escapes = s.text, len(s.text), nil
		s.shown.from = nil
		s.spans = s.set.Find(s.text, s.spans[:0])
		for _, span := range s.spans {
			s.found = append(s.found, finding{Span: span, first: span.Begin, last: span.End})
		}
		return
	}
	v := &s.shown
	if v.from == nil {
		v.text, v.from = nil, make([]int, 0, len(s.text))
	}
	v.see(s.text)
	s.spans = s.set.Find(v.text, s.spans[:0])
	for _, span := range s.spans {
		at := Span{v.from[span.Begin], v.to[span.End-1], span.Detector}
		s.found = append(s.found, finding{Span: at, first: span.Begin, last: span.End})
	}
	visibly := len(s.found)
	for _, e := range v.escapes {
		if !e.told || slices.ContainsFunc(s.found[:visibly], func(f finding) bool { return f.Begin < e.begin && e.end <= f.End }) {
			continue
		}
		s.spans = s.set.Find(s.text[e.begin+2:e.end], s.spans[:0])
		for _, span := range s.spans {
			at := Span{e.begin + 2 + span.Begin, e.begin + 2 + span.End, span.Detector}
			s.found = append(s.found, finding{Span: at, told: true})
		}
	}
	if len(s.found) > visibly {
		slices.SortFunc(s.found, func(a, b finding) int { return cmp.Compare(a.Begin, b.Begin) })
	}
}

// place is where the shown byte i begins in the text.
func (s *Stream) place(i int) int {
	switch {
	case i >= len(s.shown.text):
		return s.shown.open
	case s.shown.from == nil:
		return i
	}
	return s.shown.from[i]
}

// cut is the last place up to which all is decided, and before which nothing matters to
// what follows: after a line's end, outside of any value and its neighbourhood.
func (s *Stream) cut() int {
	text := s.shown.text
	long := s.shown.open > mostInLine
	next := len(s.found) - 1
	s.reach = s.reach[:0]
	for _, f := range s.found {
		s.reach = append(s.reach, s.reaches(f))
	}
	for i := len(text) - s.ahead; i > 0; i-- {
		if text[i-1] != '\n' && (!long || !parts(text, i)) {
			continue
		}
		place := s.place(i)
		for next >= 0 && s.found[next].Begin >= place {
			next--
		}
		if next < 0 || s.reach[next] <= place {
			return place
		}
	}
	return 0
}

// parts says whether a long line may be cut before text[i]: between two words.
func parts(text []byte, i int) bool {
	return i > 1 && text[i-1] == ' ' && isLetter(text[i-2]) && isLetter(text[i])
}

// reaches is how far a value, or one before it, has a say in what else is one.
func (s *Stream) reaches(f finding) int {
	reach := f.End
	if f.Detector+1 == int(s.set.anchors.cloudKey) {
		reach += awsNeighbourhood + 64
	}
	if n := len(s.reach); n > 0 {
		reach = max(reach, s.reach[n-1])
	}
	return reach
}

// give appends text[out:to] with its values masked. Of a value that goes on after to the
// whole is masked.
func (s *Stream) give(dst []byte, to int) []byte {
	for k, f := range s.found {
		if f.End <= s.out {
			continue
		}
		if f.Begin >= to {
			break
		}
		if f.Begin > s.out {
			dst = append(dst, s.text[s.out:f.Begin]...)
		}
		if f.Begin >= s.masked || s.masked < s.out {
			dst = s.replaced(dst, k)
		}
		s.out, s.masked = f.End, f.End
	}
	if to > s.out {
		dst = append(dst, s.text[s.out:to]...)
		s.out = to
	}
	return dst
}

// replaced appends the mask of a finding, and the escape sequences in it: colours go on.
func (s *Stream) replaced(dst []byte, k int) []byte {
	f := s.found[k]
	if s.counts != nil {
		s.counts[s.set.detectors[f.Detector].mask.Reason]++
	}
	if f.told {
		return s.set.replace(dst, s.text[:f.End], f.Span)
	}
	text := s.shown.text
	for _, after := range s.found[k+1:] {
		if !after.told {
			text = text[:after.first]
			break
		}
	}
	dst = s.set.replace(dst, text, Span{f.first, f.last, f.Detector})
	for _, e := range s.shown.escapes {
		if e.begin >= f.Begin && e.end <= f.End && !e.told {
			dst = append(dst, s.text[e.begin:e.end]...)
		}
	}
	return dst
}

func inWord(c byte) bool {
	return isAlphanumeric(c) || bytes.IndexByte([]byte("@._%+-=/:~"), c) >= 0
}
