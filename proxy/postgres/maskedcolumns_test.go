package postgres

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

func TestPG9_AMaskForWhatTheTargetDoesNotHaveLetsNobodyIn(t *testing.T) {
	t.Parallel()
	for name, mask := range map[string]v1alpha1.ColumnMask{
		"a column":   {Schema: "public", Relation: "orders", Column: "custmer"},
		"a relation": {Relation: "oders", Column: "customer"},
		"a schema":   {Schema: "shop", Relation: "orders", Column: "customer"},
	} {
		p := newProxy(t, change{policy: func(spec *v1alpha1.AccessPolicySpec) {
			spec.Masking = &v1alpha1.MaskingPolicy{Columns: []v1alpha1.ColumnMask{mask}}
		}})
		_, problems, code := p.psql(t, p.dsn(), "-c", "SELECT customer FROM orders LIMIT 1")
		if code == 0 || !strings.Contains(problems, "FATAL") || !strings.Contains(problems, mask.Relation+"."+mask.Column+", which database") {
			t.Errorf("%s: %s", name, problems)
		}
	}
}
