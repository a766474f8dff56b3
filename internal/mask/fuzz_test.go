package mask

import (
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// The numbers: detectors that begin with digits.
func FuzzNumbers(f *testing.F) { fuzz(f, builtIn[0], builtIn[2], builtIn[3], builtIn[4], builtIn[5]) }

// The words: detectors that begin with signs and literals.
func FuzzWords(f *testing.F) { fuzz(f, builtIn[1], builtIn[6], builtIn[7], builtIn[8]) }

func FuzzAllDetectors(f *testing.F) { fuzz(f, builtIn...) }

// fuzz looks for text that makes the detectors panic, or their spans lie.
func fuzz(f *testing.F, detects ...v1alpha1.Detect) {
	set := detecting(f, detects...)
	for _, detect := range detects {
		for _, line := range corpus(f, detect) {
			f.Add([]byte(unmarked(line)))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) { inOrder(t, set, text) })
}

func FuzzPattern(f *testing.F) {
	f.Add(`ticket-[0-9]{4,8}`, []byte("see ticket-12345"))
	f.Add(`(?i)pass(word|phrase)=\S+`, []byte("PassWord=x"))
	f.Add(`(abc|def)+x?`, []byte("abcdefabc"))
	f.Fuzz(func(t *testing.T, expression string, text []byte) {
		set, err := Compile(v1alpha1.MaskingPolicy{Detectors: []v1alpha1.DetectorMask{
			{Name: "custom", Detect: v1alpha1.DetectPattern, Pattern: expression}}})
		if err != nil {
			return
		}
		inOrder(t, set, text)
		// Text that is passed over has no match.
		if p := set.patterns[0]; len(set.Find(text, nil)) == 0 && p.expression.Match(text) {
			t.Fatalf("%q matches %q, which was passed over", expression, text)
		}
	})
}
