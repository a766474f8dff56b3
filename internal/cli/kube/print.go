package kube

import (
	"bytes"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/sallyport/sallyport/internal/record"
)

// ValidateOutput refuses an output format that Print does not know.
func ValidateOutput(format string) error {
	switch format {
	case "", "json", "yaml", "name":
		return nil
	}
	return fmt.Errorf("unknown output format %q: use json, yaml or name", format)
}

// Print writes one object for machines: json, yaml or name.
func Print(out io.Writer, scheme *runtime.Scheme, format string, object client.Object) error {
	content, err := toUnstructured(scheme, object)
	if err != nil {
		return err
	}
	return write(out, format, content)
}

// PrintList writes objects for machines: a List, or a name each.
func PrintList[T any, P interface {
	*T
	client.Object
}](out io.Writer, scheme *runtime.Scheme, format string, objects []T) error {
	list := &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": "v1", "kind": "List"}}
	for i := range objects {
		content, err := toUnstructured(scheme, P(&objects[i]))
		if err != nil {
			return err
		}
		list.Items = append(list.Items, *content)
	}
	return write(out, format, list)
}

func toUnstructured(scheme *runtime.Scheme, object client.Object) (*unstructured.Unstructured, error) {
	gvk, err := apiutil.GVKForObject(object, scheme)
	if err != nil {
		return nil, err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, err
	}
	out := &unstructured.Unstructured{Object: content}
	out.SetGroupVersionKind(gvk)
	out.SetManagedFields(nil)
	if status, ok := content["status"].(map[string]any); ok && len(status) == 0 {
		delete(content, "status")
	}
	return out, nil
}

func write(out io.Writer, format string, object runtime.Object) error {
	var printer printers.ResourcePrinter
	switch format {
	case "json":
		printer = &printers.JSONPrinter{}
	case "yaml":
		printer = &printers.YAMLPrinter{}
	case "name":
		printer = &printers.NamePrinter{}
	default:
		return ValidateOutput(format)
	}
	var buffer bytes.Buffer
	if err := printer.PrintObj(object, &buffer); err != nil {
		return err
	}
	_, err := io.WriteString(out, record.Printable(buffer.String()))
	return err
}
