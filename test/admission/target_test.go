package admission_test

import (
	"fmt"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
)

func TestOnlyTheManagerHoldsATargetAndLetsGo(t *testing.T) {
	t.Parallel()
	c := start(t)
	const want = "is the operator's: it lets go of a target when no request is open on it"
	hold := fmt.Sprintf(`{"op":"add","path":"/metadata/finalizers","value":[%q]}`, v1alpha1.Finalizer)
	letGo := `{"op":"remove","path":"/metadata/finalizers"}`
	for name, test := range map[string]struct {
		who         rest.ImpersonationConfig
		held        bool
		patch, want string
	}{
		"the manager holds":                         {manager, false, hold, ""},
		"the manager lets go":                       {manager, true, letGo, ""},
		"a namespace administrator does not hold":   {mallory, false, hold, want},
		"a namespace administrator does not let go": {mallory, true, letGo, want},
		"a cluster administrator does not let go":   {admin, true, letGo, want},
		"the garbage collector does not let go":     {collector, true, letGo, want},
		"another's manager does not let go":         {otherManager, true, letGo, want},
		"a finalizer of somebody else's is free":    {mallory, true, `{"op":"add","path":"/metadata/finalizers/-","value":"example.dev/x"}`, ""},
		"a held target's databases may be changed":  {mallory, true, `{"op":"add","path":"/spec/postgres/databases/-","value":"more"}`, ""},
		"a held target's labels may be changed":     {mallory, true, `{"op":"add","path":"/metadata/labels","value":{"a":"b"}}`, ""},
		"nobody moves a target to another address":  {mallory, true, `{"op":"replace","path":"/spec/postgres/host","value":"evil.example"}`, "host and port are immutable"},
		"nor does an administrator of the cluster":  {admin, true, `{"op":"replace","path":"/spec/postgres/host","value":"evil.example"}`, "host and port are immutable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := newTarget(c.Namespace(t.Context(), t))
			must(t, c.as(mallory).Create(testContext(t), target))
			if test.held {
				must(t, jsonPatch(t, c.as(manager), target, hold))
			}
			apitest.Judge(t, jsonPatch(t, c.as(test.who), target, test.patch), test.want)
		})
	}
}

func TestATargetIsNotCreatedHeld(t *testing.T) {
	t.Parallel()
	c := start(t)
	target := newTarget(c.Namespace(t.Context(), t))
	target.Finalizers = []string{v1alpha1.Finalizer}
	apitest.Judge(t, c.as(mallory).Create(testContext(t), target), "it lets go of a target when no request is open on it")
	target.Finalizers = []string{"example.dev/x"}
	apitest.Judge(t, c.as(mallory).Create(testContext(t), target), "")
}
