package mask

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// texts are pieces of the corpora in any order and close together, with bytes between
// and inside them that may be anything.
func texts(t testing.TB) *rapid.Generator[[]byte] {
	var pieces []string
	for _, detect := range builtIn {
		for _, line := range corpus(t, detect) {
			pieces = append(pieces, unmarked(line))
			for i, part := range strings.FieldsFunc(line, func(r rune) bool { return r == '«' || r == '»' }) {
				if i%2 == 1 || strings.HasPrefix(line, "«") {
					pieces = append(pieces, part)
				}
			}
		}
	}
	between := rapid.OneOf(
		rapid.SampledFrom([]string{"", "", " ", "-", ".", ",", "@", ":", "+", "*", "1", "x", "[", "]", "\n"}),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 4), func(b []byte) string { return string(b) }),
	)
	return rapid.Custom(func(t *rapid.T) []byte {
		var text []byte
		for range rapid.IntRange(1, 6).Draw(t, "pieces") {
			piece := rapid.SampledFrom(pieces).Draw(t, "piece")
			if rapid.IntRange(0, 4).Draw(t, "whether cut") == 0 {
				piece = piece[rapid.IntRange(0, len(piece)).Draw(t, "cut"):]
			}
			text = append(text, piece...)
			text = append(text, between.Draw(t, "between")...)
		}
		return text
	})
}

// ways to mask; the constants are words that no detector finds.
func ways() *rapid.Generator[v1alpha1.Mask] {
	constant := "(hidden)"
	return rapid.Custom(func(t *rapid.T) v1alpha1.Mask {
		how := rapid.SampledFrom([]v1alpha1.MaskHow{v1alpha1.MaskRedact, v1alpha1.MaskPartial, v1alpha1.MaskHash,
			v1alpha1.MaskNull, v1alpha1.MaskConstant}).Draw(t, "how")
		switch how {
		case v1alpha1.MaskPartial:
			return v1alpha1.Mask{How: how, KeepLast: rapid.Int32Range(1, 16).Draw(t, "keepLast")}
		case v1alpha1.MaskConstant:
			return v1alpha1.Mask{How: how, Constant: &constant}
		}
		return v1alpha1.Mask{How: how}
	})
}

func TestWhatIsMaskedIsNotFoundAgain(t *testing.T) {
	t.Parallel()
	texts := texts(t)
	rapid.Check(t, func(t *rapid.T) {
		var spec v1alpha1.MaskingPolicy
		for _, detect := range builtIn {
			spec.Detectors = append(spec.Detectors, v1alpha1.DetectorMask{
				Name: strings.ToLower(string(detect)), Detect: detect, Mask: ways().Draw(t, string(detect))})
		}
		set, err := Compile(spec)
		if err != nil {
			t.Fatal(err)
		}
		set = set.WithKey([]byte("key"))
		text := texts.Draw(t, "text")
		masks, end, masked := []Span(nil), 0, []byte(nil)
		spans := set.Find(text, nil)
		for i, span := range spans {
			masked = append(masked, text[end:span.Begin]...)
			next := len(text)
			if i+1 < len(spans) {
				next = spans[i+1].Begin
			}
			begin := len(masked)
			masked = set.Apply(masked, text[span.Begin:next], []Span{{0, span.End - span.Begin, span.Detector}}, nil)
			masked = masked[:len(masked)-(next-span.End)]
			masks = append(masks, Span{Begin: begin, End: len(masked)})
			end = span.End
		}
		masked = append(masked, text[end:]...)
		if scanned := set.Scan(nil, text, nil); !bytes.Equal(scanned, masked) {
			t.Fatalf("%q\nscanned %q\nmasked %q", text, scanned, masked)
		}
		for _, found := range set.Find(masked, nil) {
			for _, m := range masks {
				if found.Begin < m.End && m.Begin < found.End {
					t.Fatalf("%q\nmasked %q\nfound again %q", text, masked, masked[found.Begin:found.End])
				}
			}
		}
	})
}

func TestSpansAreInOrderAndInsideTheText(t *testing.T) {
	t.Parallel()
	texts, set := texts(t), detecting(t, builtIn...)
	rapid.Check(t, func(t *rapid.T) { inOrder(t, set, texts.Draw(t, "text")) })
}

func TestWhatOneDetectorFindsAloneIsFoundByAllTogether(t *testing.T) {
	t.Parallel()
	texts, all := texts(t), detecting(t, builtIn...)
	rapid.Check(t, func(t *rapid.T) {
		text := texts.Draw(t, "text")
		alone := detecting(t, rapid.SampledFrom(builtIn).Draw(t, "detect"))
		together := all.Find(text, nil)
		for _, span := range alone.Find(text, nil) {
			covered := false
			for _, s := range together {
				covered = covered || s.Begin <= span.Begin && span.End <= s.End
			}
			if !covered {
				t.Fatalf("%q: %q is found alone, together %v", text, text[span.Begin:span.End], together)
			}
		}
	})
}

func TestFindAppendsAndLeavesWhatWasThere(t *testing.T) {
	t.Parallel()
	texts, set := texts(t), detecting(t, builtIn...)
	rapid.Check(t, func(t *rapid.T) {
		text := texts.Draw(t, "text")
		before := Span{1, 1 << 40, 0}
		found := set.Find(text, []Span{before})
		if found[0] != before || len(found)-1 != len(set.Find(text, nil)) {
			t.Fatalf("%q: found %v", text, found)
		}
	})
}

// inOrder fails unless the spans that set finds are in order, apart, and inside text,
// and Scan keeps all that is outside them.
func inOrder(t interface{ Fatalf(string, ...any) }, set *Set, text []byte) {
	end := 0
	var want []byte
	for _, span := range set.Find(text, nil) {
		if span.Begin < end || span.End <= span.Begin || span.End > len(text) ||
			span.Detector < 0 || span.Detector >= len(set.detectors) {
			t.Fatalf("%q: span %v after %d of %d", text, span, end, len(text))
		}
		want = append(append(want, text[end:span.Begin]...), Redacted...)
		end = span.End
	}
	want = append(want, text[end:]...)
	if got := set.Scan(nil, text, nil); !bytes.Equal(got, want) {
		t.Fatalf("%q: scanned %q, want %q", text, got, want)
	}
}
