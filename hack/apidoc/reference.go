package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// kinds in the order in which one meets them.
var kinds = []string{"TaskAccessRequest", "ApprovalReview", "AccessPolicy", "AccessTarget"}

const opening = `# API reference

<!-- Written by hack/apidoc from config/crd/bases; make generate writes it again. -->

Group ` + "`access.sallyport.dev`" + `, version ` + "`v1alpha1`" + `. All kinds are namespaced, every reference stays inside the namespace, and
` + "`kubectl get access`" + ` lists all of them. ` + "`kubectl explain`" + ` has the same text. A field marked * is required. How to write a policy
is in [policy.md](policy.md).
`

// reference documents the CRDs of a folder.
func reference(folder string) ([]byte, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		return nil, err
	}
	found := map[string]*apiextensions.CustomResourceDefinition{}
	for _, file := range files {
		crd := &apiextensions.CustomResourceDefinition{}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := yaml.UnmarshalStrict(text, crd); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		found[crd.Spec.Names.Kind] = crd
	}
	if undocumented := len(found) - len(kinds); undocumented != 0 {
		return nil, fmt.Errorf("%s has %d kinds, this program knows %d", folder, len(found), len(kinds))
	}
	out := bytes.NewBufferString(opening)
	for _, kind := range kinds {
		crd := found[kind]
		if crd == nil {
			return nil, fmt.Errorf("%s has no kind %s", folder, kind)
		}
		document(out, crd)
	}
	return out.Bytes(), nil
}

func document(out *bytes.Buffer, crd *apiextensions.CustomResourceDefinition) {
	version := crd.Spec.Versions[0]
	schema := version.Schema.OpenAPIV3Schema
	names := crd.Spec.Names
	fmt.Fprintf(out, "\n## %s\n\n`%s`", names.Kind, names.Plural)
	for _, short := range names.ShortNames {
		fmt.Fprintf(out, ", short `%s`", short)
	}
	fmt.Fprintf(out, ". %s\n", oneLine(schema.Description))
	for _, part := range []string{"spec", "status"} {
		property := schema.Properties[part]
		fmt.Fprintf(out, "\n### %s: %s\n\n%s\n", names.Kind, part, sentence(property))
		for n, rule := range property.XValidations {
			if n == 0 {
				out.WriteString("\n")
			}
			fmt.Fprintf(out, "- Rule: %s.\n", rule.Message)
		}
		out.WriteString("\n| field | type | meaning |\n| --- | --- | --- |\n")
		rows(out, names.Kind, "", property)
	}
}

// rows writes the fields of an object, and below each its own.
func rows(out *bytes.Buffer, kind, prefix string, object apiextensions.JSONSchemaProps) {
	for _, name := range slices.Sorted(maps.Keys(object.Properties)) {
		property := object.Properties[name]
		star := ""
		if slices.Contains(object.Required, name) {
			star = " *"
		}
		path := prefix + name
		fmt.Fprintf(out, "| `%s`%s | %s | %s |\n", path, star, typeOf(property), cell(meaning(kind, path, property)))
		if known(kind, name) != "" {
			continue
		}
		switch {
		case property.Type == "object":
			rows(out, kind, path+".", property)
		case property.Type == "array" && property.Items.Schema.Type == "object":
			rows(out, kind, path+"[].", *property.Items.Schema)
		}
	}
}

// known says where the fields of a field are documented, if not here.
func known(kind, name string) string {
	switch {
	case name == "conditions":
		return "Kubernetes' own `metav1.Condition`."
	case name == "grant" && kind != "AccessPolicy":
		return "As `grant` of an [AccessPolicy](#accesspolicy-spec)."
	}
	return ""
}

func meaning(kind, path string, property apiextensions.JSONSchemaProps) string {
	parts := []string{sentence(property)}
	if also := known(kind, path[strings.LastIndex(path, ".")+1:]); also != "" {
		parts = append(parts, also)
	}
	if limits := limits(property); limits != "" {
		parts = append(parts, limits)
	}
	if property.Default != nil {
		parts = append(parts, "Default `"+string(property.Default.Raw)+"`.")
	}
	for _, rule := range property.XValidations {
		parts = append(parts, "Rule: "+rule.Message+".")
	}
	if items := property.Items; items != nil && items.Schema != nil {
		for _, rule := range items.Schema.XValidations {
			parts = append(parts, "Rule: "+rule.Message+".")
		}
	}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}

// limits are the bounds of a value, as far as they fit into a table.
func limits(p apiextensions.JSONSchemaProps) string {
	var all []string
	if p.Items != nil && p.Items.Schema != nil && len(p.Items.Schema.Enum) > 0 {
		p.Enum = p.Items.Schema.Enum
	}
	if len(p.Enum) > 0 {
		values := []string{}
		for _, value := range p.Enum {
			values = append(values, strings.Trim(string(value.Raw), `"`))
		}
		all = append(all, "one of "+strings.Join(values, ", "))
	}
	switch {
	case p.Minimum != nil && p.Maximum != nil:
		all = append(all, fmt.Sprintf("%.0f to %.0f", *p.Minimum, *p.Maximum))
	case p.Minimum != nil:
		all = append(all, fmt.Sprintf("at least %.0f", *p.Minimum))
	}
	if p.MaxLength != nil {
		all = append(all, fmt.Sprintf("at most %d characters", *p.MaxLength))
	}
	if p.MaxItems != nil {
		all = append(all, fmt.Sprintf("at most %d items", *p.MaxItems))
	}
	if len(all) == 0 {
		return ""
	}
	text := strings.Join(all, "; ")
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

func typeOf(p apiextensions.JSONSchemaProps) string {
	switch {
	case p.Type == "array" && p.Items != nil && p.Items.Schema != nil:
		return "list of " + typeOf(*p.Items.Schema)
	case p.Format == "date-time":
		return "time"
	case p.Format != "":
		return p.Format
	}
	return p.Type
}

func sentence(p apiextensions.JSONSchemaProps) string { return oneLine(p.Description) }

func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if text != "" && !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}

// cell keeps a table's cell one cell.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;").Replace(text)
}
