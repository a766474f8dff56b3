package admission_test

import (
	"testing"

	"k8s.io/client-go/rest"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/stores"
)

const reader = "system:serviceaccount:" + v1alpha1.ProxyNamespace + ":sallyport-reader"

// The sample is what docs/operations.md has an operator's owner edit and apply.
func TestTheSampleStoreIsOneAndIsReadByManagerAndReaderAlone(t *testing.T) {
	t.Parallel()
	c := start(t)
	samples, err := c.Render("config", "samples", "store")
	must(t, err)
	for _, object := range samples {
		must(t, c.apply(testContext(t), object))
	}
	name := stores.ObjectName("archive")
	for _, username := range []string{v1alpha1.ManagerUsername, reader} {
		for ctx := testContext(t); !c.may(t, username, nil, "get", "", "secrets", v1alpha1.ProxyNamespace, name); {
			if ctx.Err() != nil {
				t.Fatalf("%s may not read the bucket's login", username)
			}
		}
		if c.may(t, username, nil, "list", "", "secrets", v1alpha1.ProxyNamespace, "") {
			t.Errorf("%s lists Secrets", username)
		}
	}
	for _, username := range []string{"bob", "system:serviceaccount:" + v1alpha1.ProxyNamespace + ":default"} {
		if c.may(t, username, nil, "get", "", "secrets", v1alpha1.ProxyNamespace, name) {
			t.Errorf("%s reads the bucket's login", username)
		}
	}
	for who, acting := range map[string]stores.Directory{
		"the manager": {ConfigMaps: c.as(manager), Secrets: c.as(manager)},
		"the reader":  {ConfigMaps: c.as(rest.ImpersonationConfig{UserName: reader}), Secrets: c.as(rest.ImpersonationConfig{UserName: reader})},
	} {
		bucket, err := acting.Find(testContext(t), "archive")
		if err != nil {
			t.Fatalf("%s: %v", who, err)
		}
		if _, err := acting.Credential(testContext(t), bucket); err != nil {
			t.Errorf("%s: %v", who, err)
		}
		if names, err := acting.Names(testContext(t)); err != nil || len(names) != 2 {
			t.Errorf("%s finds stores %v: %v", who, names, err)
		}
	}
}

func TestTheReaderReadsWhatItMustAndWritesNothing(t *testing.T) {
	t.Parallel()
	c := start(t)
	for _, test := range []struct {
		verb, group, resource, name string
		want                        bool
	}{
		{"get", "", "configmaps", "recordings-x", true},
		{"list", "", "configmaps", "", true},
		{"update", "", "configmaps", "recordings-x", false},
		{"get", "", "secrets", "sallyport-reader-tls", false},
		{"get", "", "secrets", "sallyport-store-nobody-gave", false},
		{"create", "", "pods", "", false},
		{"delete", "", "persistentvolumeclaims", "sallyport-recordings", false},
	} {
		if got := c.may(t, reader, nil, test.verb, test.group, test.resource, v1alpha1.ProxyNamespace, test.name); got != test.want {
			t.Errorf("the reader may %s %s: %v", test.verb, test.resource, got)
		}
	}
}
