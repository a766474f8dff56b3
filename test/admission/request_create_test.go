package admission_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
)

func TestREV6_TheAPIServerWritesDownWhoAsks(t *testing.T) {
	t.Parallel()
	c := start(t)
	forged := v1alpha1.Requester{Username: "alice", UID: "uid-of-alice", Groups: []string{"dba", "system:masters"}}
	for name, test := range map[string]struct {
		who    rest.ImpersonationConfig
		forged v1alpha1.Requester
	}{
		"a person without a uid":                {who: bob},
		"a person with a uid":                   {who: pipeline},
		"an administrator":                      {who: admin},
		"a forged requester is overwritten":     {who: bob, forged: forged},
		"also when the forger has a uid":        {who: pipeline, forged: forged},
		"also when the forger is administrator": {who: admin, forged: forged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := newRequest(c.Namespace(t.Context(), t))
			request.Spec.Requester = test.forged
			must(t, c.as(test.who).Create(testContext(t), request))
			me := whoami(t, c.as(test.who))
			want := v1alpha1.Requester{Username: me.Username, UID: me.UID, Groups: me.Groups}
			if diff := cmp.Diff(want, request.Spec.Requester, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("stamped requester (-want +got):\n%s", diff)
			}
		})
	}
}

func TestREV6_AClientCertificateIsWrittenDownAsItIs(t *testing.T) {
	t.Parallel()
	c := start(t)
	config := c.User(t, "frank", "engineering")
	acting, err := client.New(config, client.Options{Scheme: c.Scheme})
	must(t, err)
	request := newRequest(c.Namespace(t.Context(), t))
	must(t, acting.Create(testContext(t), request))
	me := whoami(t, acting)
	want := v1alpha1.Requester{Username: "frank", UID: me.UID, Groups: me.Groups}
	if diff := cmp.Diff(want, request.Spec.Requester, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("stamped requester (-want +got):\n%s", diff)
	}
}

func TestREV6_ARequestIsCreatedOpenAndBare(t *testing.T) {
	t.Parallel()
	c := start(t)
	for name, test := range map[string]struct {
		change func(*v1alpha1.TaskAccessRequest)
		want   string
	}{
		"a plain one is accepted":    {func(*v1alpha1.TaskAccessRequest) {}, ""},
		"Open may be said":           {func(r *v1alpha1.TaskAccessRequest) { r.Spec.State = v1alpha1.StateOpen }, ""},
		"Closed is refused":          {func(r *v1alpha1.TaskAccessRequest) { r.Spec.State = v1alpha1.StateClosed }, "a request begins Open"},
		"our finalizer is refused":   {func(r *v1alpha1.TaskAccessRequest) { r.Finalizers = []string{v1alpha1.Finalizer} }, "finalizers are the operator's"},
		"a stray finalizer, too":     {func(r *v1alpha1.TaskAccessRequest) { r.Finalizers = []string{"mallory.example/keep"} }, "finalizers are the operator's"},
		"own annotations may be set": {func(r *v1alpha1.TaskAccessRequest) { r.Annotations = map[string]string{"note": "x"} }, ""},
		"the annotation that abandons may not": {func(r *v1alpha1.TaskAccessRequest) {
			r.Annotations = map[string]string{v1alpha1.AnnotationAbandon: "gone"}
		}, "nothing is there to abandon yet"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := newRequest(c.Namespace(t.Context(), t))
			test.change(request)
			apitest.Judge(t, c.as(bob).Create(testContext(t), request), test.want)
		})
	}
}

func TestREV6_AStatusSentAlongIsDropped(t *testing.T) {
	t.Parallel()
	c := start(t)
	request := newRequest(c.Namespace(t.Context(), t))
	request.Status = v1alpha1.TaskAccessRequestStatus{Review: "approved-by-myself", RequestDigest: "v1:sha256:00"}
	must(t, c.as(bob).Create(testContext(t), request))
	if diff := cmp.Diff(v1alpha1.TaskAccessRequestStatus{}, request.Status); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

// On a cluster without the mutating kind the validating policy stands alone.
func TestREV6_WithoutTheStampOnlyOnesOwnNameIsAccepted(t *testing.T) {
	t.Parallel()
	c := start(t)
	const want = "spec.requester must be you"
	for name, test := range map[string]struct {
		who    rest.ImpersonationConfig
		change func(*v1alpha1.Requester)
		want   string
	}{
		"exactly oneself":            {bob, func(*v1alpha1.Requester) {}, ""},
		"exactly oneself with a uid": {pipeline, func(*v1alpha1.Requester) {}, ""},
		"an administrator as well":   {admin, func(*v1alpha1.Requester) {}, ""},
		"another's name":             {bob, func(r *v1alpha1.Requester) { r.Username = "alice" }, want},
		"another's by an administrator": {admin, func(r *v1alpha1.Requester) {
			r.Username = "alice"
		}, want},
		"a uid that one has not":     {bob, func(r *v1alpha1.Requester) { r.UID = "uid-of-alice" }, want},
		"another uid than one has":   {pipeline, func(r *v1alpha1.Requester) { r.UID = "uid-of-alice" }, want},
		"the uid left out":           {pipeline, func(r *v1alpha1.Requester) { r.UID = "" }, want},
		"a group that one is not in": {bob, func(r *v1alpha1.Requester) { r.Groups = append(r.Groups, "dba") }, want},
		"a group left out":           {bob, func(r *v1alpha1.Requester) { r.Groups = r.Groups[1:] }, want},
		"no groups at all":           {bob, func(r *v1alpha1.Requester) { r.Groups = nil }, want},
		"groups in another order": {bob, func(r *v1alpha1.Requester) {
			r.Groups[0], r.Groups[1] = r.Groups[1], r.Groups[0]
		}, want},
		"nobody": {bob, func(r *v1alpha1.Requester) { *r = v1alpha1.Requester{} }, "spec.requester"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			acting := c.as(test.who)
			me := whoami(t, acting)
			request := newRequest(c.unstampedNamespace(t))
			request.Spec.Requester = v1alpha1.Requester{Username: me.Username, UID: me.UID, Groups: me.Groups}
			test.change(&request.Spec.Requester)
			apitest.Judge(t, acting.Create(testContext(t), request), test.want)
		})
	}
}

// Whoever applies a manifest applies it again, and it does not name the requester.
func TestApplyingARequestAgainChangesNothing(t *testing.T) {
	t.Parallel()
	c := start(t)
	manifest := c.file(t, "config", "samples", "request.yaml")
	manifest.SetNamespace(c.Namespace(t.Context(), t))
	var generations []int64
	for range 2 {
		applied := manifest.DeepCopy()
		must(t, c.as(bob).Apply(testContext(t), client.ApplyConfigurationFromUnstructured(applied), client.FieldOwner("kubectl")))
		name, _, err := unstructured.NestedString(applied.Object, "spec", "requester", "username")
		if err != nil || name != "bob" {
			t.Errorf("the requester is %q (%v), want bob", name, err)
		}
		generations = append(generations, applied.GetGeneration())
	}
	if diff := cmp.Diff([]int64{1, 1}, generations); diff != "" {
		t.Errorf("generations (-want +got):\n%s", diff)
	}
}

func TestARequestWithoutASpecIsRefusedByTheSchema(t *testing.T) {
	t.Parallel()
	c := start(t)
	request, err := apitest.Objects([]byte(`{"apiVersion":"access.sallyport.dev/v1alpha1","kind":"TaskAccessRequest","metadata":{"name":"empty"}}`))
	must(t, err)
	request[0].SetNamespace(c.Namespace(t.Context(), t))
	apitest.Judge(t, c.as(bob).Create(testContext(t), request[0]), "spec: Required value")
}

// encode is an object's JSON, for patches.
func encode(t *testing.T, value any) string {
	t.Helper()
	content, err := json.Marshal(value)
	must(t, err)
	return string(content)
}
