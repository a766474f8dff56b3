package admission_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// The people of the tests. bob asks, and has the verb review besides; alice and carol
// review and close; dave may abandon; mallory administers the namespace; erin has the
// reviewer's role without the verb review.
var (
	bob      = rest.ImpersonationConfig{UserName: "bob", Groups: []string{"engineering", "on-call"}}
	alice    = rest.ImpersonationConfig{UserName: "alice", Groups: []string{"dba"}}
	carol    = rest.ImpersonationConfig{UserName: "carol", UID: "uid-of-carol", Groups: []string{"dba"}}
	dave     = rest.ImpersonationConfig{UserName: "dave"}
	mallory  = rest.ImpersonationConfig{UserName: "mallory", Groups: []string{"engineering"}}
	erin     = rest.ImpersonationConfig{UserName: "erin"}
	admin    = rest.ImpersonationConfig{UserName: "admin", Groups: []string{"system:masters"}}
	pipeline = rest.ImpersonationConfig{UserName: "system:serviceaccount:ci:deploy", UID: "uid-of-deploy", Groups: []string{"engineering"}}

	manager      = rest.ImpersonationConfig{UserName: v1alpha1.ManagerUsername}
	collector    = rest.ImpersonationConfig{UserName: "system:serviceaccount:kube-system:generic-garbage-collector"}
	namespaces   = rest.ImpersonationConfig{UserName: "system:serviceaccount:kube-system:namespace-controller"}
	controllers  = rest.ImpersonationConfig{UserName: "system:kube-controller-manager"}
	otherManager = rest.ImpersonationConfig{UserName: "system:serviceaccount:payments:sallyport-manager", Groups: []string{"system:masters"}}
)

// as is a client that acts as somebody.
func (c *cluster) as(who rest.ImpersonationConfig) client.Client {
	config := rest.CopyConfig(c.Config)
	config.Impersonate = who
	acting, err := client.New(config, client.Options{Scheme: c.Scheme, Mapper: c.Client.RESTMapper()})
	if err != nil {
		// The configuration is the administrator's, which worked.
		panic(fmt.Sprintf("client of %s: %v", who.UserName, err))
	}
	return acting
}

// whoami is what the API server takes a client for.
func whoami(t *testing.T, acting client.Client) authenticationv1.UserInfo {
	t.Helper()
	review := &authenticationv1.SelfSubjectReview{}
	if err := acting.Create(testContext(t), review); err != nil {
		t.Fatalf("who am I: %v", err)
	}
	return review.Status.UserInfo
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// unstampedNamespace makes a namespace in which requesters name themselves.
func (c *cluster) unstampedNamespace(t *testing.T) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-", Labels: map[string]string{unstamped: "true"}}}
	if err := c.Client.Create(testContext(t), namespace); err != nil {
		t.Fatalf("make a namespace: %v", err)
	}
	return namespace.Name
}

// jsonPatch sends a JSON patch and takes over the answer.
func jsonPatch(t *testing.T, acting client.Client, object client.Object, operations ...string) error {
	t.Helper()
	patch := client.RawPatch(types.JSONPatchType, []byte("["+strings.Join(operations, ",")+"]"))
	return acting.Patch(testContext(t), object, patch)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
