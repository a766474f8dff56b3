package policy_test

import (
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
)

func TestTheExamplesInTheDocumentsCompile(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```yaml\n")[1:]
	if len(blocks) < 3 {
		t.Fatalf("%d examples", len(blocks))
	}
	for i, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		s := spec()
		if i == 0 {
			var object v1alpha1.AccessPolicy
			err = yaml.UnmarshalStrict([]byte(block), &object)
			s = object.Spec
		} else {
			var rules struct {
				Rules []v1alpha1.Rule `json:"rules"`
			}
			err = yaml.UnmarshalStrict([]byte(block), &rules)
			s.Rules = rules.Rules
		}
		if err != nil {
			t.Fatalf("example %d: %v", i, err)
		}
		if _, err := policy.Compile("example", s); err != nil {
			t.Errorf("example %d: %v", i, err)
		}
	}
}
