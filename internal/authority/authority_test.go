package authority

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
)

func TestMain(m *testing.M) { os.Exit(apitest.Main(m)) }

// answering is an authoriser with one answer; it keeps the last question.
func answering(status authorizationv1.SubjectAccessReviewStatus, err error) (client.Client, *authorizationv1.SubjectAccessReviewSpec) {
	asked := &authorizationv1.SubjectAccessReviewSpec{}
	return fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		Create: func(_ context.Context, _ client.WithWatch, object client.Object, _ ...client.CreateOption) error {
			review := object.(*authorizationv1.SubjectAccessReview)
			*asked, review.Status = review.Spec, status
			return err
		},
	}).Build(), asked
}

func TestREV4_OnlyAClearYesIsYesAndDoubtIsAnError(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status  authorizationv1.SubjectAccessReviewStatus
		err     error
		may     bool
		unknown bool
	}{
		"allowed":                     {status: authorizationv1.SubjectAccessReviewStatus{Allowed: true}, may: true},
		"allowed by one that could":   {status: authorizationv1.SubjectAccessReviewStatus{Allowed: true, EvaluationError: "another could not"}, may: true},
		"no opinion":                  {},
		"denied":                      {status: authorizationv1.SubjectAccessReviewStatus{Denied: true}},
		"denied, another in doubt":    {status: authorizationv1.SubjectAccessReviewStatus{Denied: true, EvaluationError: "another could not"}},
		"allowed and denied":          {status: authorizationv1.SubjectAccessReviewStatus{Allowed: true, Denied: true}},
		"no opinion, could not tell":  {status: authorizationv1.SubjectAccessReviewStatus{EvaluationError: "webhook timed out"}, unknown: true},
		"the API server fails":        {err: errors.New("timeout"), unknown: true},
		"it fails with a yes in hand": {status: authorizationv1.SubjectAccessReviewStatus{Allowed: true}, err: errors.New("cut off"), unknown: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asker, _ := answering(test.status, test.err)
			may, err := MayOnPolicy(t.Context(), asker, Person{Username: "bob"}, v1alpha1.VerbUse, "payments", "orders-fix")
			if may != test.may || (err != nil) != test.unknown {
				t.Errorf("may %t, error %v; want may %t, error %t", may, err, test.may, test.unknown)
			}
			if test.err != nil && !errors.Is(err, test.err) {
				t.Errorf("error %v does not wrap %v", err, test.err)
			}
		})
	}
}

func TestTheQuestionIsOfThePersonAndTheOnePolicy(t *testing.T) {
	t.Parallel()
	asker, asked := answering(authorizationv1.SubjectAccessReviewStatus{}, nil)
	person := Person{Username: "bob", UID: "u-1", Groups: []string{"engineering"}}
	if _, err := MayOnPolicy(t.Context(), asker, person, v1alpha1.VerbReview, "payments", "orders-fix"); err != nil {
		t.Fatal(err)
	}
	want := &authorizationv1.SubjectAccessReviewSpec{
		User: "bob", UID: "u-1", Groups: []string{"engineering"},
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Group: "access.sallyport.dev", Version: "v1alpha1", Resource: "accesspolicies",
			Namespace: "payments", Name: "orders-fix", Verb: "review",
		},
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("question (-want +got):\n%s", diff)
	}
}

// As `kubectl auth can-i` would answer, by the roles that there are.
func TestTheAPIServersOwnRolesAnswer(t *testing.T) {
	t.Parallel()
	server := apitest.Start(t)
	namespace := server.Namespace(t.Context(), t)
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "dba"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "admin"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "dba"}},
	}
	if err := server.Client.Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	server.Allow(t.Context(), t, namespace, "bob", "accesspolicies", []string{v1alpha1.VerbUse}, "orders-fix")
	// The authoriser learns of bindings in their order: once it knows this, it knows all.
	gomega.NewWithT(t).Eventually(func() (bool, error) {
		return MayOnPolicy(t.Context(), server.Client, Person{Username: "bob"}, v1alpha1.VerbUse, namespace, "orders-fix")
	}, "20s", "20ms").Should(gomega.BeTrue())
	for name, test := range map[string]struct {
		person           Person
		verb, in, policy string
		may              bool
	}{
		"bob may use it":                     {Person{Username: "bob"}, v1alpha1.VerbUse, namespace, "orders-fix", true},
		"not another policy":                 {Person{Username: "bob"}, v1alpha1.VerbUse, namespace, "orders-read", false},
		"not another verb":                   {Person{Username: "bob"}, v1alpha1.VerbReview, namespace, "orders-fix", false},
		"not in another namespace":           {Person{Username: "bob"}, v1alpha1.VerbUse, "default", "orders-fix", false},
		"nobody else":                        {Person{Username: "eve"}, v1alpha1.VerbUse, namespace, "orders-fix", false},
		"an administrator of namespaces not": {Person{Username: "alice", Groups: []string{"dba"}}, v1alpha1.VerbUse, namespace, "orders-fix", false},
		"whoever may all, may":               {Person{Username: "root", Groups: []string{"system:masters"}}, v1alpha1.VerbReview, namespace, "orders-fix", true},
	} {
		t.Run(name, func(t *testing.T) {
			may, err := MayOnPolicy(t.Context(), server.Client, test.person, test.verb, test.in, test.policy)
			if err != nil || may != test.may {
				t.Errorf("may %t, error %v; want %t", may, err, test.may)
			}
		})
	}
}
