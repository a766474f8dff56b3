package mask

import (
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

func TestAPatternIsLookedForOnlyWhereItsLiteralIs(t *testing.T) {
	t.Parallel()
	for expression, texts := range map[string][]string{
		`ticket-[0-9]{4,8}`:            {"see «ticket-12345»", "«ticket-1234»«ticket-5678»", "ticket-1"},
		`[A-Z]{2}(-?)(?:CASE|FILE)\d+`: {"«XX-CASE12» «AAFILE1»", "XXCASE"},
		`(?i)pass(word|phrase)=\S+`:    {"«PassWord=x» y", "«passphrase=ü»", "password"},
		`(?i)sks-key_[a-z]+`:           {"«ſKS-KEY_abc»", "«sks-key_a»", "«s\u212as-\u212aey_a»"},
		`(?i)\bSSN\b`:                  {"«ssn» «SSN» ssns"},
		`(?:abc|def)+x?`:               {"1«abcdefabcx»"},
		`(token){2}`:                   {"«tokentoken»token"},
		`\bEMP\w{4}\b`:                 {"«EMP1234» xEMP1234"},
		`müll[0-9]+`:                   {"\xff«müll1»\xff"},
	} {
		set, err := Compile(v1alpha1.MaskingPolicy{Detectors: []v1alpha1.DetectorMask{
			{Name: "custom", Detect: v1alpha1.DetectPattern, Pattern: expression}}})
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		for _, want := range texts {
			if got := marked(set, unmarked(want)); got != want {
				t.Errorf("%s: marked %q, want %q", expression, got, want)
			}
		}
	}
}
