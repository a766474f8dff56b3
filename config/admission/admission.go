// Package admission holds the admission policies, as they are installed and as the
// manager expects to find them: it grants nothing while they differ.
package admission

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// MutatingKinds are the kinds that a cluster may be without: it is then as safe, and
// requesters write spec.requester themselves.
var MutatingKinds = map[string]bool{
	"MutatingAdmissionPolicy":        true,
	"MutatingAdmissionPolicyBinding": true,
}

//go:embed *.yaml validating-only/*.yaml
var files embed.FS

// Objects returns the policies and bindings, in the order of their files.
func Objects() ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	err := fs.WalkDir(files, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Base(file) == "kustomization.yaml" {
			return err
		}
		content, err := files.ReadFile(file)
		if err != nil {
			return err
		}
		found, err := decode(content)
		if err != nil {
			return fmt.Errorf("admission policies of %s: %w", file, err)
		}
		objects = append(objects, found...)
		return nil
	})
	return objects, err
}

func decode(content []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
}
