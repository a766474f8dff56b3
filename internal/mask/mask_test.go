package mask

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

func TestEachWayMasksAWholeValue(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mask        Mask
		value, want string
		null        bool
	}{
		"redact":                       {Mask{How: v1alpha1.MaskRedact}, "ada", "[redacted]", false},
		"an unknown way redacts":       {Mask{How: "Blur"}, "ada", "[redacted]", false},
		"no way redacts":               {Mask{}, "", "[redacted]", false},
		"null":                         {Mask{How: v1alpha1.MaskNull}, "ada", "", true},
		"constant":                     {Mask{How: v1alpha1.MaskConstant, Constant: "x"}, "ada", "x", false},
		"partial":                      {Mask{How: v1alpha1.MaskPartial, KeepLast: 4}, "4111111111111111", "************1111", false},
		"partial of twice the length":  {Mask{How: v1alpha1.MaskPartial, KeepLast: 2}, "abcd", "**cd", false},
		"partial of a shorter value":   {Mask{How: v1alpha1.MaskPartial, KeepLast: 2}, "abc", "***", false},
		"partial counts characters":    {Mask{How: v1alpha1.MaskPartial, KeepLast: 2}, "żółć", "**łć", false},
		"partial of bytes that are no": {Mask{How: v1alpha1.MaskPartial, KeepLast: 1}, "\xff\xfea", "**a", false},
		"partial of nothing":           {Mask{How: v1alpha1.MaskPartial, KeepLast: 1}, "", "", false},
		"hash without a key redacts":   {Mask{How: v1alpha1.MaskHash}, "ada", "[redacted]", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, null := c.mask.Text([]byte(">"), []byte(c.value))
			if string(got) != ">"+c.want || null != c.null {
				t.Errorf("%q, %v; want %q, %v", got, null, ">"+c.want, c.null)
			}
		})
	}
}

func TestHashesAreStableUnderOneKeyAndNoOther(t *testing.T) {
	t.Parallel()
	set, err := Compile(v1alpha1.MaskingPolicy{
		Columns:   []v1alpha1.ColumnMask{{Relation: "orders", Column: "email", Mask: v1alpha1.Mask{How: v1alpha1.MaskHash}}},
		Detectors: []v1alpha1.DetectorMask{{Name: "email", Detect: v1alpha1.DetectEmail, Mask: v1alpha1.Mask{How: v1alpha1.MaskHash}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	hash := func(set *Set, value string) string {
		m, _ := set.Column("public", "orders", "email")
		text, _ := m.Text(nil, []byte(value))
		return string(text)
	}
	one, other := set.WithKey([]byte("one")), set.WithKey([]byte("other"))
	first := hash(one, "ada@example.com")
	if !strings.HasPrefix(first, HashPrefix) || len(first) != len(HashPrefix)+32 {
		t.Errorf("%q has not the form of a hash", first)
	}
	if first != hash(one, "ada@example.com") || first != hash(set.WithKey([]byte("one")), "ada@example.com") {
		t.Error("equal values have unequal hashes")
	}
	if first == hash(other, "ada@example.com") || first == hash(one, "bob@example.com") {
		t.Error("unequal values or keys have equal hashes")
	}
	if got := string(one.Scan(nil, []byte("to ada@example.com."), nil)); got != "to "+first+"." {
		t.Errorf("inside text the value became %q, whole it became %q", got, first)
	}
	if got := hash(set, "ada@example.com"); got != Redacted {
		t.Errorf("the set that has no key made %q", got)
	}
	if m, _ := set.Column("public", "orders", "email"); m.Keyed() || m.Sum([]byte("a")) != [32]byte{} {
		t.Error("a mask without a key sums")
	}
}

func TestAMaskDoesNotShowItsKey(t *testing.T) {
	t.Parallel()
	set, err := Compile(v1alpha1.MaskingPolicy{Columns: []v1alpha1.ColumnMask{{Relation: "orders", Column: "email"}}})
	if err != nil {
		t.Fatal(err)
	}
	m, _ := set.WithKey([]byte("very secret")).Column("public", "orders", "email")
	if shown := fmt.Sprintf("%v %+v %#v", m, m, m); strings.Contains(shown, "very secret") {
		t.Error(shown)
	}
}

func TestScanMasksEachFindingInItsWayAndCountsIt(t *testing.T) {
	t.Parallel()
	constant := "(number)"
	set, err := Compile(v1alpha1.MaskingPolicy{Detectors: []v1alpha1.DetectorMask{
		{Name: "card", Detect: v1alpha1.DetectPaymentCard, Mask: v1alpha1.Mask{How: v1alpha1.MaskPartial, KeepLast: 4}},
		{Name: "mail", Detect: v1alpha1.DetectEmail},
		{Name: "phone", Detect: v1alpha1.DetectPhone, Mask: v1alpha1.Mask{How: v1alpha1.MaskConstant, Constant: &constant}},
		{Name: "ip", Detect: v1alpha1.DetectIPAddress, Mask: v1alpha1.Mask{How: v1alpha1.MaskNull}},
		{Name: "ticket", Detect: v1alpha1.DetectPattern, Pattern: `(?i)tkt-[0-9]{4,8}\b`},
	}})
	if err != nil {
		t.Fatal(err)
	}
	counts := Counts{"detector mail": 2}
	got := string(set.Scan([]byte("> "), []byte(
		"4111 1111 1111 1111, ada@example.com, +49 30 901820, 192.0.2.17, Tkt-12345, bob@example.com TKT-123"), counts))
	if want := "> ***************1111, [redacted], (number), [redacted], [redacted], [redacted] TKT-123"; got != want {
		t.Errorf("scanned %q, want %q", got, want)
	}
	want := Counts{"detector card": 1, "detector mail": 4, "detector phone": 1, "detector ip": 1, "detector ticket": 1}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestOverlappingFindingsAreOneOfTheDetectorThatBeginsFirstThenTheLongest(t *testing.T) {
	t.Parallel()
	set := detecting(t, v1alpha1.DetectPaymentCard, v1alpha1.DetectEmail)
	for text, want := range map[string]Span{
		"4111111111111111@example.com":    {0, 28, 1},
		"4111 1111 1111 1111@example.com": {0, 31, 0},
		"x.4111111111111111@example.com":  {0, 30, 1},
		"ada@b.com@c.com":                 {0, 15, 1},
	} {
		if diff := cmp.Diff([]Span{want}, set.Find([]byte(text), nil)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestWhatPartialKeepsIsNoValueItself(t *testing.T) {
	t.Parallel()
	set, err := Compile(v1alpha1.MaskingPolicy{Detectors: []v1alpha1.DetectorMask{{
		Name: "mail", Detect: v1alpha1.DetectEmail, Mask: v1alpha1.Mask{How: v1alpha1.MaskPartial, KeepLast: 13}}}})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"ada.augusta.lovelace@example.com,": "********************************,",
		"ada.augusta.lovelace@examples.com": "********************@examples.com",
	} {
		if got := string(set.Scan(nil, []byte(text), nil)); got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
	}
}
