package mask

import (
	"bytes"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// A pass that is quadratic takes minutes for one of these texts; a linear one takes
// milliseconds.
func TestHostileTextTakesTimeLinearInItsLength(t *testing.T) {
	t.Parallel()
	const size, bound = 1 << 20, 5 * time.Second
	set := detecting(t, builtIn...)
	custom, err := Compile(v1alpha1.MaskingPolicy{Detectors: []v1alpha1.DetectorMask{
		{Name: "quadratic", Detect: v1alpha1.DetectPattern, Pattern: `foo(.*bar)?`},
		{Name: "suffix", Detect: v1alpha1.DetectPattern, Pattern: `\w+:secret`},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, unit := range []string{
		"@", "1", "a", "0", "+", ":", ".", "-", "4", "_", "%40", "a%40", "a@", "a.", "1.", "a.a@", "1:", "::", "ab:", "::1",
		"1-", "1 ", "4111 ", "4111-", "4111111111111111", "4111111111111111 ", "+1", "+49 ", "01 ", "0 ", "(0", "1 1 ",
		"DE89", "DE89 ", "GB82", "a@b.co@", "a@b.co ", "eyJ", "eyJ-", "eyJ.", "eyJ-.", "eyJabcdefgh.", "eyJ-eyJ-.aaaaaaaaa ",
		"-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\n-----END ", "---- BEGIN SSH2 PRIVATE KEY ----\n-----END PRIVATE KEY-----",
		"-----BEGIN A-----\n", "AKIA", "AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE ", "secret_access_key=", "ghp_", "ghp_ ",
		"xoxb-", "sk_live_", "Q~", "1Q~", "AccountKey=", "ya29.", "bsn 111222333 ", "\x80", "\xff@", "1.1.1.1.", "255.255.255.255 ",
		"foo", "foobar", "foo\n", "a:secret", ":secret", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:secret ",
	} {
		text := bytes.Repeat([]byte(unit), size/len(unit))
		for name, s := range map[string]*Set{"built in": set, "patterns": custom} {
			start := time.Now()
			masked := s.Scan(nil, text, nil)
			if took := time.Since(start); took > bound {
				t.Errorf("%s: %d KiB of %q took %v", name, size>>10, unit, took)
			}
			if len(masked) > 8*len(text) {
				t.Errorf("%s: %q grew from %d to %d bytes", name, unit, len(text), len(masked))
			}
		}
	}
}

func TestAPatternThatHostileTextMakesSlowMasksTheRest(t *testing.T) {
	t.Parallel()
	set, err := Compile(v1alpha1.MaskingPolicy{Detectors: []v1alpha1.DetectorMask{
		{Name: "quadratic", Detect: v1alpha1.DetectPattern, Pattern: `foo(.*bar)?`}}})
	if err != nil {
		t.Fatal(err)
	}
	text := bytes.Repeat([]byte("foo-"), 10_000)
	found := set.Find(text, nil)
	if last := found[len(found)-1]; last.End != len(text) || last.End-last.Begin < len(text)/2 {
		t.Errorf("the last of %d spans is %v of %d bytes", len(found), last, len(text))
	}
}

func TestFindAllocatesNothingWithoutAFinding(t *testing.T) {
	set := detecting(t, builtIn...)
	text := []byte(typicalRow)
	if n := testing.AllocsPerRun(100, func() { set.Find(text, nil) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
