package admission_test

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
)

const (
	toClosed  = `{"op":"replace","path":"/spec/state","value":"Closed"}`
	toAbandon = `{"op":"add","path":"/metadata/annotations/access.sallyport.dev~1abandon","value":"the disk is dust"}`
	dropOurs  = `{"op":"replace","path":"/metadata/finalizers","value":[]}`
	addLabel  = `{"op":"add","path":"/metadata/labels/extra","value":"x"}`
	addNote   = `{"op":"add","path":"/metadata/annotations/extra","value":"x"}`
	editNote  = `{"op":"replace","path":"/metadata/annotations/note","value":"of another"}`
	dropNote  = `{"op":"remove","path":"/metadata/annotations/note"}`
	addOwner  = `{"op":"add","path":"/metadata/ownerReferences","value":[{"apiVersion":"v1","kind":"ConfigMap","name":"x","uid":"x"}]}`
	addStray  = `{"op":"add","path":"/metadata/finalizers/-","value":"mallory.example/keep"}`
	newReason = `{"op":"replace","path":"/spec/reason","value":"something else"}`
)

func TestREV6_NobodyElseChangesARequest(t *testing.T) {
	t.Parallel()
	c := start(t)
	const (
		spec       = "only bob changes this request"
		metadata   = "only its requester changes a request's labels and annotations"
		abandon    = "it takes the verb abandon"
		finalizers = "finalizers of a request are the operator's"
		owners     = "a request's owners cannot be changed"
	)
	for name, test := range map[string]struct {
		who   rest.ImpersonationConfig
		patch string
		want  string
	}{
		"the requester closes":                         {bob, toClosed, ""},
		"the requester labels":                         {bob, addLabel, ""},
		"the requester annotates":                      {bob, addNote, ""},
		"the requester takes an annotation back":       {bob, dropNote, ""},
		"the requester cannot change the reason":       {bob, newReason, "reason is immutable"},
		"the requester cannot drop our finalizer":      {bob, dropOurs, finalizers},
		"the requester cannot add a finalizer":         {bob, addStray, finalizers},
		"the requester cannot add an owner":            {bob, addOwner, owners},
		"the requester cannot abandon":                 {bob, toAbandon, abandon},
		"a holder of close closes":                     {alice, toClosed, ""},
		"a holder of close cannot label":               {alice, addLabel, metadata},
		"a holder of close cannot annotate":            {alice, addNote, metadata},
		"a holder of close cannot edit annotations":    {alice, editNote, metadata},
		"a holder of close cannot remove annotations":  {alice, dropNote, metadata},
		"a holder of close cannot label while closing": {alice, toClosed + "," + addLabel, metadata},
		"a holder of close cannot drop our finalizer":  {alice, dropOurs, finalizers},
		"a holder of close cannot add an owner":        {alice, addOwner, owners},
		"a holder of close cannot abandon":             {alice, toAbandon, abandon},
		"a holder of close cannot change the reason":   {alice, toClosed + "," + newReason, "reason is immutable"},
		"a namespace administrator cannot close":       {mallory, toClosed, spec},
		"a namespace administrator cannot label":       {mallory, addLabel, metadata},
		"a namespace administrator cannot annotate":    {mallory, editNote, metadata},
		"a namespace administrator keeps finalizers":   {mallory, dropOurs, finalizers},
		"a namespace administrator adds no owner":      {mallory, addOwner, owners},
		"a namespace administrator cannot abandon":     {mallory, toAbandon, abandon},
		"a holder of abandon abandons":                 {dave, toAbandon, ""},
		"a holder of abandon changes nothing else":     {dave, toAbandon + "," + addNote, metadata},
		"a holder of abandon cannot close":             {dave, toClosed, spec},
		"a cluster administrator closes":               {admin, toClosed, ""},
		"a cluster administrator cannot label":         {admin, addLabel, metadata},
		"a cluster administrator keeps our finalizer":  {admin, dropOurs, finalizers},
		"a cluster administrator adds no owner":        {admin, addOwner, owners},
		"the manager removes our finalizer":            {manager, dropOurs, ""},
		"the manager has no verb close":                {manager, toClosed, spec},
		"the manager cannot label":                     {manager, addLabel, metadata},
		"the manager cannot add an owner":              {manager, addOwner, owners},
		"the manager of another namespace is nobody":   {otherManager, dropOurs, finalizers},
		"the garbage collector drops a dead owner":     {collector, addOwner, ""},
		"the garbage collector drops own finalizers":   {collector, addStray, ""},
		"the garbage collector keeps our finalizer":    {collector, dropOurs, finalizers},
		"the garbage collector cannot label":           {collector, addLabel, metadata},
		"an unseparated collector works alike":         {controllers, addOwner, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := c.openRequest(t, c.Namespace(t.Context(), t))
			apitest.Judge(t, jsonPatch(t, c.as(test.who), request, test.patch), test.want)
		})
	}
}

func TestREV6_AnApplyOrAnUpdateIsJudgedLikeAPatch(t *testing.T) {
	t.Parallel()
	c := start(t)
	for name, change := range map[string]func(t *testing.T, acting client.Client, request *v1alpha1.TaskAccessRequest) error{
		"update": func(t *testing.T, acting client.Client, request *v1alpha1.TaskAccessRequest) error {
			request.Spec.State = v1alpha1.StateClosed
			return acting.Update(testContext(t), request)
		},
		"server-side apply": func(t *testing.T, acting client.Client, request *v1alpha1.TaskAccessRequest) error {
			object := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"state": "Closed"}}}
			object.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("TaskAccessRequest"))
			object.SetNamespace(request.Namespace)
			object.SetName(request.Name)
			return acting.Apply(testContext(t), client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("x"), client.ForceOwnership)
		},
		"merge patch": func(t *testing.T, acting client.Client, request *v1alpha1.TaskAccessRequest) error {
			return acting.Patch(testContext(t), request, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"state":"Closed"}}`)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := c.openRequest(t, c.Namespace(t.Context(), t))
			apitest.Judge(t, change(t, c.as(mallory), request.DeepCopy()), "only bob changes this request")
			apitest.Judge(t, change(t, c.as(bob), request.DeepCopy()), "")
		})
	}
}

func TestREV6_AClosedRequestIsNotReopened(t *testing.T) {
	t.Parallel()
	c := start(t)
	request := c.openRequest(t, c.Namespace(t.Context(), t))
	must(t, jsonPatch(t, c.as(bob), request, toClosed))
	for _, who := range []rest.ImpersonationConfig{bob, admin, manager} {
		reopen := `{"op":"replace","path":"/spec/state","value":"Open"}`
		apitest.Judge(t, jsonPatch(t, c.as(who), request.DeepCopy(), reopen), "a closed request stays closed")
	}
	// An absent state is defaulted to Open, which is no way round either.
	apitest.Judge(t, jsonPatch(t, c.as(bob), request.DeepCopy(), `{"op":"remove","path":"/spec/state"}`), "a closed request stays closed")
}

func TestREV6_OnlyAHolderOfAbandonEndsClosingUnproved(t *testing.T) {
	t.Parallel()
	c := start(t)
	request := c.openRequest(t, c.Namespace(t.Context(), t))
	must(t, jsonPatch(t, c.as(dave), request, toAbandon))
	edit := `{"op":"replace","path":"/metadata/annotations/access.sallyport.dev~1abandon","value":"other words"}`
	apitest.Judge(t, jsonPatch(t, c.as(bob), request.DeepCopy(), edit), "it takes the verb abandon")
	remove := `{"op":"remove","path":"/metadata/annotations/access.sallyport.dev~1abandon"}`
	apitest.Judge(t, jsonPatch(t, c.as(bob), request.DeepCopy(), remove), "it takes the verb abandon")
	apitest.Judge(t, jsonPatch(t, c.as(dave), request.DeepCopy(), remove), "")
}

// A service account that was deleted and made again has another uid.
func TestREV6_ANamesakeIsNotTheRequester(t *testing.T) {
	t.Parallel()
	c := start(t)
	request := c.openRequestOf(t, c.Namespace(t.Context(), t), pipeline)
	namesake := pipeline
	namesake.UID = "uid-of-a-later-one"
	const want = "only system:serviceaccount:ci:deploy changes this request"
	apitest.Judge(t, jsonPatch(t, c.as(namesake), request.DeepCopy(), toClosed), want)
	namesake.UID = ""
	apitest.Judge(t, jsonPatch(t, c.as(namesake), request.DeepCopy(), toClosed), want)
	apitest.Judge(t, c.as(namesake).Delete(testContext(t), request.DeepCopy()), "only system:serviceaccount:ci:deploy deletes this request")
	apitest.Judge(t, jsonPatch(t, c.as(pipeline), request.DeepCopy(), toClosed), "")
}

func TestREV6_OnlyTheRequesterDeletesARequest(t *testing.T) {
	t.Parallel()
	c := start(t)
	const want = "only bob deletes this request"
	for name, test := range map[string]struct {
		who  rest.ImpersonationConfig
		want string
	}{
		"the requester":                      {bob, ""},
		"another requester":                  {rest.ImpersonationConfig{UserName: "ben", Groups: []string{"engineering"}}, want},
		"a namespace administrator":          {mallory, want},
		"a cluster administrator":            {admin, want},
		"the garbage collector":              {collector, ""},
		"the namespace controller":           {namespaces, ""},
		"an unseparated controller manager":  {controllers, ""},
		"a manager of another namespace":     {otherManager, want},
		"a holder of close closes, and that": {rest.ImpersonationConfig{UserName: "alice", Groups: []string{"dba", "engineering"}}, want},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := c.openRequest(t, c.Namespace(t.Context(), t))
			apitest.Judge(t, c.as(test.who).Delete(testContext(t), request), test.want)
		})
	}
}

func TestREV6_DeletingACollectionIsDeletingEach(t *testing.T) {
	t.Parallel()
	c := start(t)
	namespace := c.Namespace(t.Context(), t)
	request := c.openRequest(t, namespace)
	all := func(who rest.ImpersonationConfig) error {
		return c.as(who).DeleteAllOf(testContext(t), &v1alpha1.TaskAccessRequest{}, client.InNamespace(namespace))
	}
	apitest.Judge(t, all(mallory), "only bob deletes this request")
	apitest.Judge(t, all(admin), "only bob deletes this request")
	must(t, c.Client.Get(testContext(t), client.ObjectKeyFromObject(request), request))
	if !request.DeletionTimestamp.IsZero() {
		t.Fatal("the request is being deleted")
	}
	apitest.Judge(t, all(namespaces), "")
}

// Foreground deletion leaves a finalizer that the garbage collector takes away.
func TestAForegroundDeletionRunsItsCourse(t *testing.T) {
	t.Parallel()
	c := start(t)
	request := c.openRequest(t, c.Namespace(t.Context(), t))
	must(t, c.as(bob).Delete(testContext(t), request, client.PropagationPolicy(metav1.DeletePropagationForeground)))
	must(t, c.Client.Get(testContext(t), client.ObjectKeyFromObject(request), request))
	if len(request.Finalizers) != 2 {
		t.Fatalf("finalizers %q, want ours and foregroundDeletion", request.Finalizers)
	}
	ours := fmt.Sprintf(`{"op":"replace","path":"/metadata/finalizers","value":[%q]}`, v1alpha1.Finalizer)
	must(t, jsonPatch(t, c.as(collector), request, ours))
	must(t, jsonPatch(t, c.as(manager), request, dropOurs))
	if err := c.Client.Get(testContext(t), client.ObjectKeyFromObject(request), request); client.IgnoreNotFound(err) != nil || err == nil {
		t.Fatalf("get the deleted request: %v, want not found", err)
	}
}

func TestTheVerbCloseMayBeGivenForOneRequest(t *testing.T) {
	t.Parallel()
	c := start(t)
	namespace := c.Namespace(t.Context(), t)
	request := c.openRequest(t, namespace)
	other := newRequest(namespace)
	other.Name = "pay-1424"
	must(t, c.as(bob).Create(testContext(t), other))
	grace := rest.ImpersonationConfig{UserName: "grace"}
	c.permit(t, namespace, grace, "close", "taskaccessrequests", request.Name)
	c.permit(t, namespace, grace, "patch", "taskaccessrequests")
	apitest.Judge(t, jsonPatch(t, c.as(grace), other, toClosed), "only bob changes this request")
	apitest.Judge(t, jsonPatch(t, c.as(grace), request, toClosed), "")
}

func TestObjectsOfOtherKindsAreLeftAlone(t *testing.T) {
	t.Parallel()
	c := start(t)
	configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "free", Namespace: c.Namespace(t.Context(), t), Finalizers: []string{"example.dev/x"}}}
	must(t, c.as(admin).Create(testContext(t), configMap))
	must(t, c.as(admin).Delete(testContext(t), configMap))
}
