package kube

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

func TestErrorsAreSaidInKubectlsWords(t *testing.T) {
	t.Parallel()
	requests := schema.GroupResource{Group: v1alpha1.GroupName, Resource: "taskaccessrequests"}
	kind := schema.GroupKind{Group: v1alpha1.GroupName, Kind: "TaskAccessRequest"}
	bad := field.Invalid(field.NewPath("spec", "reason"), "", "say why")
	for name, test := range map[string]struct {
		err  error
		want string
		code int
	}{
		"none":          {nil, "", 0},
		"our own":       {errors.New("no request"), "error: no request", 1},
		"said so twice": {errors.New("error: no request"), "error: no request", 1},
		"not found, wrapped": {
			fmt.Errorf("look: %w", apierrors.NewNotFound(requests, "fix")),
			`Error from server (NotFound): taskaccessrequests.access.sallyport.dev "fix" not found`, 1,
		},
		"not logged in":          {apierrors.NewUnauthorized("expired"), "error: You must be logged in to the server (expired)", 1},
		"without a reason":       {&apierrors.StatusError{ErrStatus: metav1.Status{Message: "odd"}}, "Error from server: odd", 1},
		"no server":              {&url.Error{Op: "Get", URL: "https://x", Err: errors.New("connection refused")}, "Unable to connect to the server: connection refused", 1},
		"a program of ours said": {fmt.Errorf("psql: %w", &ExitError{Code: 3}), "", 3},
		"one field is invalid": {
			apierrors.NewInvalid(kind, "fix", field.ErrorList{bad}),
			`The TaskAccessRequest "fix" is invalid: spec.reason: Invalid value: "": say why`, 1,
		},
		"several are": {
			apierrors.NewInvalid(kind, "fix", field.ErrorList{bad, field.Required(field.NewPath("spec", "target"), "name one")}),
			"The TaskAccessRequest \"fix\" is invalid:\n* spec.reason: Invalid value: \"\": say why\n* spec.target: Required value: name one", 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, Message(test.err)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got := ExitCode(test.err); got != test.code {
				t.Errorf("exit code %d, want %d", got, test.code)
			}
		})
	}
}

func TestREC3_WhatOthersWroteCannotDriveTheTerminal(t *testing.T) {
	t.Parallel()
	const escape = "\x1b[2J"
	if got := Message(errors.New("refused: " + escape)); strings.Contains(got, "\x1b") {
		t.Errorf("an error carries %q", got)
	}
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	hostile := &v1alpha1.TaskAccessRequest{ObjectMeta: metav1.ObjectMeta{Name: "fix"}, Spec: v1alpha1.TaskAccessRequestSpec{Reason: escape}}
	for _, format := range []string{"json", "yaml"} {
		var out bytes.Buffer
		if err := Print(&out, scheme, format, hostile); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "\x1b") {
			t.Errorf("%s carries the control sequence:\n%q", format, out.String())
		}
	}
}

func TestOutputForMachinesCarriesKindAndVersion(t *testing.T) {
	t.Parallel()
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	list := []v1alpha1.TaskAccessRequest{{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, {ObjectMeta: metav1.ObjectMeta{Name: "b"}}}
	for format, want := range map[string][]string{
		"name": {"taskaccessrequest.access.sallyport.dev/a\ntaskaccessrequest.access.sallyport.dev/b\n"},
		"json": {`"kind": "List"`, `"kind": "TaskAccessRequest"`, `"apiVersion": "access.sallyport.dev/v1alpha1"`, `"name": "b"`},
		"yaml": {"kind: List", "kind: TaskAccessRequest", "name: b"},
	} {
		var out bytes.Buffer
		if err := PrintList(&out, scheme, format, list); err != nil {
			t.Fatal(err)
		}
		for _, part := range want {
			if !strings.Contains(out.String(), part) {
				t.Errorf("%s lacks %q:\n%s", format, part, out.String())
			}
		}
	}
	if err := PrintList(&bytes.Buffer{}, scheme, "table", list); err == nil || ValidateOutput("table") == nil {
		t.Error("format table was taken")
	}
}

func TestCalledByItsCompletionsNameAPluginCompletes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ line, want []string }{
		"as a plugin":     {[]string{"/bin/kubectl-access", "list", "-A"}, []string{"list", "-A"}},
		"as a completion": {[]string{"/bin/kubectl_complete-access", "li"}, []string{cobra.ShellCompRequestCmd, "li"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, Arguments(test.line)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
