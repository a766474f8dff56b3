package admission_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sallyport/sallyport/config/admission"
)

// kustomize writes YAML anew, and may fold text differently than the decoder that
// the manager reads the same files with.
func TestREV6_WhatKustomizeInstallsIsWhatTheManagerExpects(t *testing.T) {
	t.Parallel()
	c := start(t)
	rendered, err := c.Render("config", "default")
	must(t, err)
	installed := map[string]*unstructured.Unstructured{}
	for _, object := range rendered {
		installed[object.GetKind()+"/"+object.GetName()] = object
	}
	wanted, err := admission.Objects()
	must(t, err)
	for _, want := range wanted {
		for _, difference := range admission.Differences(installed[want.GetKind()+"/"+want.GetName()], want) {
			t.Error(difference)
		}
	}
}
