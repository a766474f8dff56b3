// Package kube is how the plugins reach the API server: from a plain kubeconfig,
// without discovery.
package kube

import (
	"context"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Factory makes what verbs need of the cluster that the user's flags name.
type Factory struct {
	Config    func() (*rest.Config, error)
	Namespace func() (string, error)
	Now       func() time.Time
}

// FromFlags is the Factory of kubectl's own flags.
func FromFlags(flags *genericclioptions.ConfigFlags) *Factory {
	return &Factory{
		Config: flags.ToRESTConfig,
		Namespace: func() (string, error) {
			namespace, _, err := flags.ToRawKubeConfigLoader().Namespace()
			return namespace, err
		},
		Now: time.Now,
	}
}

// Client speaks with the API server about the few kinds that the plugins know.
func (f *Factory) Client() (client.WithWatch, error) {
	config, err := f.Config()
	if err != nil {
		return nil, err
	}
	config = rest.CopyConfig(config)
	config.QPS = -1 // the API server's own fairness bounds us
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	return client.NewWithWatch(config, client.Options{Scheme: scheme, Mapper: mapper()})
}

// ClientIn is Client with the namespace that the user's flags name.
func (f *Factory) ClientIn() (client.WithWatch, string, error) {
	namespace, err := f.Namespace()
	if err != nil {
		return nil, "", err
	}
	c, err := f.Client()
	return c, namespace, err
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		v1alpha1.AddToScheme, corev1.AddToScheme, authenticationv1.AddToScheme, authorizationv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return scheme, nil
}

// mapper knows the plugins' few kinds, which saves every call a discovery.
func mapper() meta.RESTMapper {
	m := meta.NewDefaultRESTMapper(nil)
	for _, kind := range []string{"AccessTarget", "AccessPolicy", "TaskAccessRequest", "ApprovalReview"} {
		m.Add(v1alpha1.SchemeGroupVersion.WithKind(kind), meta.RESTScopeNamespace)
	}
	for _, kind := range []string{"Pod", "Event"} {
		m.Add(corev1.SchemeGroupVersion.WithKind(kind), meta.RESTScopeNamespace)
	}
	for _, gvk := range []schema.GroupVersionKind{
		authenticationv1.SchemeGroupVersion.WithKind("SelfSubjectReview"),
		authorizationv1.SchemeGroupVersion.WithKind("SelfSubjectAccessReview"),
	} {
		m.Add(gvk, meta.RESTScopeRoot)
	}
	return m
}

// WhoAmI is the user as the API server knows them.
func WhoAmI(ctx context.Context, c client.Client) (authenticationv1.UserInfo, error) {
	review := &authenticationv1.SelfSubjectReview{}
	if err := c.Create(ctx, review); err != nil {
		return authenticationv1.UserInfo{}, fmt.Errorf("ask the API server who you are: %w", err)
	}
	return review.Status.UserInfo, nil
}

// MayReview asks whether the user may review under a policy.
func MayReview(ctx context.Context, c client.Client, namespace, policy string) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Group: v1alpha1.GroupName, Version: v1alpha1.SchemeGroupVersion.Version, Resource: "accesspolicies",
			Namespace: namespace, Name: policy, Verb: v1alpha1.VerbReview,
		},
	}}
	if err := c.Create(ctx, review); err != nil {
		return false, fmt.Errorf("ask the API server what you may review: %w", err)
	}
	return review.Status.Allowed, nil
}
