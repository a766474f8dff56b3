package mask

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

func TestCompileNamesTheFieldAndSaysWhatToDo(t *testing.T) {
	t.Parallel()
	column := func(m v1alpha1.Mask) v1alpha1.MaskingPolicy {
		return v1alpha1.MaskingPolicy{Columns: []v1alpha1.ColumnMask{{Relation: "orders", Column: "email", Mask: m}}}
	}
	detector := func(detectors ...v1alpha1.DetectorMask) v1alpha1.MaskingPolicy {
		return v1alpha1.MaskingPolicy{Detectors: detectors}
	}
	pattern := func(expression string) v1alpha1.MaskingPolicy {
		return detector(v1alpha1.DetectorMask{Name: "card", Detect: v1alpha1.DetectPattern, Pattern: expression})
	}
	address := "ada@example.com"
	for name, c := range map[string]struct {
		spec  v1alpha1.MaskingPolicy
		field string
		say   string
	}{
		"an unknown inference": {v1alpha1.MaskingPolicy{Inference: "Perhaps"}, "masking.inference: ", "use Refused or Allowed"},
		"a column without relation": {v1alpha1.MaskingPolicy{Columns: []v1alpha1.ColumnMask{{Column: "email"}}},
			"masking.columns[0].relation: ", "name the table"},
		"a column without name": {v1alpha1.MaskingPolicy{Columns: []v1alpha1.ColumnMask{{Relation: "orders"}}},
			"masking.columns[0].column: ", "name the column"},
		"a column twice": {v1alpha1.MaskingPolicy{Columns: []v1alpha1.ColumnMask{
			{Relation: "orders", Column: "email"}, {Schema: "public", Relation: "orders", Column: "email"}}},
			"masking.columns[1]: ", "once"},
		"an unknown way":             {column(v1alpha1.Mask{How: "Blur"}), "masking.columns[0].mask.how: ", "use Redact"},
		"Partial that keeps nothing": {column(v1alpha1.Mask{How: v1alpha1.MaskPartial}), "masking.columns[0].mask.keepLast: ", "1 to 16"},
		"Constant without value":     {column(v1alpha1.Mask{How: v1alpha1.MaskConstant}), "masking.columns[0].mask.constant: ", "set it"},
		"an unknown detector":        {detector(v1alpha1.DetectorMask{Name: "shoes", Detect: "ShoeSize"}), "masking.detectors[shoes].detect: ", "use PaymentCard"},
		"a detector without name":    {detector(v1alpha1.DetectorMask{Detect: v1alpha1.DetectEmail}), "masking.detectors[].name: ", "give"},
		"a name twice": {detector(v1alpha1.DetectorMask{Name: "a", Detect: v1alpha1.DetectEmail},
			v1alpha1.DetectorMask{Name: "a", Detect: v1alpha1.DetectIBAN}), "masking.detectors[a].name: ", "choose another"},
		"a form twice": {detector(v1alpha1.DetectorMask{Name: "a", Detect: v1alpha1.DetectEmail},
			v1alpha1.DetectorMask{Name: "b", Detect: v1alpha1.DetectEmail}), "masking.detectors[b].detect: ", "keep one"},
		"a pattern where none belongs": {detector(v1alpha1.DetectorMask{Name: "a", Detect: v1alpha1.DetectEmail, Pattern: "abc"}),
			"masking.detectors[a].pattern: ", "remove the pattern"},
		"a constant that is found": {detector(v1alpha1.DetectorMask{Name: "a", Detect: v1alpha1.DetectEmail,
			Mask: v1alpha1.Mask{How: v1alpha1.MaskConstant, Constant: &address}}), "masking.detectors[a].mask.constant: ", "no detector finds"},
		"a pattern that is large":   {pattern(`token([a-z0-9]{100}){10}`), "masking.detectors[card].pattern: ", "lower their counts"},
		"no pattern":                {pattern(""), "masking.detectors[card].pattern: ", "write an RE2 expression"},
		"a pattern that is no RE2":  {pattern(`(?=abc)`), "masking.detectors[card].pattern: ", "it is not RE2"},
		"a pattern that is long":    {pattern(strings.Repeat("a", 513)), "masking.detectors[card].pattern: ", "512 are the most"},
		"a pattern without literal": {pattern(`[0-9]{16}`), "masking.detectors[card].pattern: ", "add what stands before"},
		"an alternative without":    {pattern(`token|[0-9]+`), "masking.detectors[card].pattern: ", "add what stands before"},
		"an optional literal":       {pattern(`(token)?[0-9]+`), "masking.detectors[card].pattern: ", "add what stands before"},
		"a short literal":           {pattern(`ab[0-9]+cd`), "masking.detectors[card].pattern: ", "3 bytes"},
		"an anchored pattern":       {pattern(`^token`), "masking.detectors[card].pattern: ", "remove them"},
		"a deeply anchored pattern": {pattern(`token(a|(?m:b$))`), "masking.detectors[card].pattern: ", "remove them"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Compile(c.spec)
			if err == nil {
				t.Fatal("it compiles")
			}
			if !strings.HasPrefix(err.Error(), c.field) || !strings.Contains(err.Error(), c.say) {
				t.Errorf("%q does not name %q and say %q", err, c.field, c.say)
			}
		})
	}
}

func TestASetKnowsItsColumns(t *testing.T) {
	t.Parallel()
	set, err := Compile(v1alpha1.MaskingPolicy{
		Columns: []v1alpha1.ColumnMask{
			{Relation: "orders", Column: "email"},
			{Schema: "hr", Relation: "people", Column: "name", Mask: v1alpha1.Mask{How: v1alpha1.MaskPartial, KeepLast: 2}},
			{Schema: "hr", Relation: "people", Column: "ssn"},
		},
		Inference: v1alpha1.InferenceAllowed,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []Relation{{"hr", "people"}, {"public", "orders"}}
	if diff := cmp.Diff(want, set.Relations()); diff != "" {
		t.Errorf("relations (-want +got):\n%s", diff)
	}
	if m, ok := set.Column("public", "orders", "email"); !ok || m.How != v1alpha1.MaskRedact || m.Reason != "column public.orders.email" {
		t.Errorf("the column's mask is %+v, %v", m, ok)
	}
	if _, ok := set.Column("public", "orders", "Email"); ok {
		t.Error("a column of another name is masked")
	}
	if !set.HasColumns() || set.Detects() || !set.InferenceAllowed() {
		t.Error("the set does not say what it has")
	}
}

func TestNoSetMasksNothing(t *testing.T) {
	t.Parallel()
	var set *Set
	if _, ok := set.Column("public", "orders", "email"); ok || set.HasColumns() || set.Detects() || set.Relations() != nil || set.WithKey(nil) != nil {
		t.Error("a nil set masks")
	}
	if got := set.Scan(nil, []byte("ada@example.com"), nil); string(got) != "ada@example.com" {
		t.Errorf("a nil set made %q", got)
	}
}
