// Package v1alpha1 holds the four kinds of group access.sallyport.dev: what a
// user writes, what the operator answers, and nothing that acts.
//
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +groupName=access.sallyport.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of every kind in this package.
const GroupName = "access.sallyport.dev"

// SchemeGroupVersion is the group and version of every kind in this package.
var SchemeGroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}

var (
	schemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme registers the kinds of this package.
	AddToScheme = schemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(SchemeGroupVersion,
		&AccessTarget{}, &AccessTargetList{},
		&AccessPolicy{}, &AccessPolicyList{},
		&TaskAccessRequest{}, &TaskAccessRequestList{},
		&ApprovalReview{}, &ApprovalReviewList{},
	)
	metav1.AddToGroupVersion(scheme, SchemeGroupVersion)
	return nil
}
