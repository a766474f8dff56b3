package admission_test

import (
	"testing"

	"k8s.io/client-go/rest"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
)

const (
	toHold   = `{"op":"add","path":"/metadata/annotations/access.sallyport.dev~1legal-hold","value":"case 7"}`
	toRehold = `{"op":"replace","path":"/metadata/annotations/access.sallyport.dev~1legal-hold","value":"nothing to see"}`
	toUnhold = `{"op":"remove","path":"/metadata/annotations/access.sallyport.dev~1legal-hold"}`
	takesIt  = "it takes the verb hold on taskaccessrequests/recording"
)

var frank = rest.ImpersonationConfig{UserName: "frank"}

// held is a namespace in which frank may hold, and a request there.
func (c *cluster) held(t *testing.T) *v1alpha1.TaskAccessRequest {
	t.Helper()
	namespace := c.Namespace(t.Context(), t)
	c.permit(t, namespace, frank, "patch", "taskaccessrequests")
	c.permit(t, namespace, frank, v1alpha1.VerbHold, "taskaccessrequests/recording")
	return c.openRequest(t, namespace)
}

func TestOnlyAHolderOfTheVerbHoldsOrLetsGo(t *testing.T) {
	t.Parallel()
	c := start(t)
	for name, test := range map[string]struct {
		who  rest.ImpersonationConfig
		want string
	}{
		"the requester":             {bob, takesIt},
		"a holder of close":         {alice, takesIt},
		"a holder of abandon":       {dave, takesIt},
		"a namespace administrator": {mallory, takesIt},
		"the manager":               {manager, takesIt},
		"the garbage collector":     {collector, takesIt},
		"a holder of hold":          {frank, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := c.held(t)
			apitest.Judge(t, jsonPatch(t, c.as(test.who), request.DeepCopy(), toHold), test.want)
			must(t, jsonPatch(t, c.as(frank), request, toHold))
			apitest.Judge(t, jsonPatch(t, c.as(test.who), request.DeepCopy(), toRehold), test.want)
			apitest.Judge(t, jsonPatch(t, c.as(test.who), request.DeepCopy(), toUnhold), test.want)
		})
	}
}

func TestAHolderOfHoldChangesNothingElse(t *testing.T) {
	t.Parallel()
	c := start(t)
	request := c.held(t)
	for _, patch := range []string{addNote, addLabel, editNote, toHold + "," + addNote} {
		apitest.Judge(t, jsonPatch(t, c.as(frank), request.DeepCopy(), patch), "only its requester changes a request's labels and annotations")
	}
	apitest.Judge(t, jsonPatch(t, c.as(frank), request.DeepCopy(), toClosed), "only bob changes this request")
	apitest.Judge(t, jsonPatch(t, c.as(frank), request.DeepCopy(), toAbandon), "it takes the verb abandon")
}

func TestARequestIsNotBornHeld(t *testing.T) {
	t.Parallel()
	c := start(t)
	request := newRequest(c.Namespace(t.Context(), t))
	request.Annotations = map[string]string{v1alpha1.AnnotationLegalHold: "mine"}
	apitest.Judge(t, c.as(bob).Create(testContext(t), request), takesIt)
}

func TestARequestUnderALegalHoldIsNotDeleted(t *testing.T) {
	t.Parallel()
	c := start(t)
	for name, test := range map[string]struct {
		who  rest.ImpersonationConfig
		want string
	}{
		"by its requester":                {bob, "this request is under a legal hold"},
		"but with its namespace":          {namespaces, ""},
		"and as the whole of controllers": {controllers, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := c.held(t)
			must(t, jsonPatch(t, c.as(frank), request, toHold))
			apitest.Judge(t, c.as(test.who).Delete(testContext(t), request), test.want)
		})
	}
	request := c.held(t)
	must(t, jsonPatch(t, c.as(frank), request, toHold))
	must(t, jsonPatch(t, c.as(frank), request, toUnhold))
	apitest.Judge(t, c.as(bob).Delete(testContext(t), request), "")
}

// Its access ends all the same.
func TestARequestUnderALegalHoldIsClosedByItsRequester(t *testing.T) {
	t.Parallel()
	c := start(t)
	request := c.held(t)
	must(t, jsonPatch(t, c.as(frank), request, toHold))
	apitest.Judge(t, jsonPatch(t, c.as(bob), request, toClosed), "")
}
