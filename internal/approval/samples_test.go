package approval

import (
	"os"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

func TestTheSamplePoliciesAskWhomTheirFirstLinesSay(t *testing.T) {
	t.Parallel()
	const reading, repairing = "accesspolicy-orders-read.yaml", "accesspolicy-orders-fix.yaml"
	for name, test := range map[string]struct {
		file      string
		decisions []v1alpha1.Decision
		want      v1alpha1.Outcome
	}{
		"reading needs one yes of the administrators":   {reading, []v1alpha1.Decision{approve("alice", "dba")}, v1alpha1.OutcomeApproved},
		"and of nobody else":                            {reading, []v1alpha1.Decision{approve("carol")}, ""},
		"repairing needs two people":                    {repairing, []v1alpha1.Decision{approve("alice", "dba"), approve("carol")}, v1alpha1.OutcomeApproved},
		"one administrator is not enough":               {repairing, []v1alpha1.Decision{approve("alice", "dba")}, ""},
		"two administrators are not the task's own":     {repairing, []v1alpha1.Decision{approve("alice", "dba"), approve("dave", "dba")}, ""},
		"the task's reviewer is one person, dba or not": {repairing, []v1alpha1.Decision{approve("carol", "dba")}, ""},
		"the requester has no vote, dba or not":         {repairing, []v1alpha1.Decision{approve("bob", "dba"), approve("carol")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile("../../config/samples/" + test.file)
			if err != nil {
				t.Fatal(err)
			}
			sample := v1alpha1.AccessPolicy{}
			if err := yaml.UnmarshalStrict(content, &sample); err != nil {
				t.Fatal(err)
			}
			got := Count(ask(question(sample.Spec.Review.Requirements...), test.decisions...))
			if got.Outcome != test.want {
				t.Errorf("%q: %s; want %q", got.Outcome, got.Message, test.want)
			}
		})
	}
}
