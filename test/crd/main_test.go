// Package crd_test tries every rule of the four kinds' schemas against a real API
// server, with no admission policy beside them.
package crd_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/sallyport/sallyport/internal/apitest"
)

func TestMain(m *testing.M) { os.Exit(apitest.Main(m)) }

// row is a change to a valid object, and the refusal that follows; none if empty.
type row struct {
	name, patch, want string
}

// put, swap and del are operations of a JSON patch, values in JSON. put sets a field,
// whether it was there or not, or inserts into a list; swap replaces what is there.
func put(path, value string) string {
	return fmt.Sprintf(`{"op":"add","path":%q,"value":%s}`, path, value)
}
func swap(path, value string) string {
	return fmt.Sprintf(`{"op":"replace","path":%q,"value":%s}`, path, value)
}
func del(path string) string { return fmt.Sprintf(`{"op":"remove","path":%q}`, path) }

// text is a string of n letters, in JSON.
func text(n int) string { return `"` + strings.Repeat("x", n) + `"` }

// list is n distinct strings of a format, in JSON.
func list(n int, format string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(format, i)
	}
	return "[" + strings.Join(items, ",") + "]"
}

// creations tries each row on a new object.
func creations(t *testing.T, base string, rows []row) {
	t.Helper()
	server := apitest.Start(t)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			object := changed(t, base, row.patch)
			apitest.Judge(t, server.Client.Create(within(t), object, client.DryRunAll, client.FieldValidation("Strict")), row.want)
		})
	}
}

// updates tries each row on an object that is there.
func updates(t *testing.T, base string, rows []row) {
	t.Helper()
	server := apitest.Start(t)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			object := stored(t, base)
			apitest.Judge(t, server.Client.Patch(within(t), object, rawPatch(row.patch)), row.want)
		})
	}
}

// stored creates an object in a namespace of its own.
func stored(t *testing.T, base string) *unstructured.Unstructured {
	t.Helper()
	server := apitest.Start(t)
	object := changed(t, base, "")
	object.SetNamespace(server.Namespace(within(t), t))
	if err := server.Client.Create(within(t), object); err != nil {
		t.Fatalf("create: %v", err)
	}
	return object
}

// accepted is a changed object as the API server would store it, defaults filled in.
func accepted(t *testing.T, base, patch string) *unstructured.Unstructured {
	t.Helper()
	object := changed(t, base, patch)
	apitest.Judge(t, apitest.Start(t).Client.Create(within(t), object, client.DryRunAll), "")
	return object
}

func changed(t *testing.T, base, patch string) *unstructured.Unstructured {
	t.Helper()
	content, err := yaml.YAMLToJSON([]byte(base))
	if err != nil {
		t.Fatalf("base: %v", err)
	}
	decoded, err := jsonpatch.DecodePatch([]byte("[" + patch + "]"))
	if err != nil {
		t.Fatalf("patch %s: %v", patch, err)
	}
	if content, err = decoded.Apply(content); err != nil {
		t.Fatalf("apply %s: %v", patch, err)
	}
	object := &unstructured.Unstructured{}
	if err := json.Unmarshal(content, &object.Object); err != nil {
		t.Fatalf("decode: %v", err)
	}
	object.SetNamespace("default")
	return object
}

func rawPatch(patch string) client.Patch {
	return client.RawPatch(types.JSONPatchType, []byte("["+patch+"]"))
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}
