package kube

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/internal/record"
)

// ExitError ends a plugin with the exit code of a program that it ran, which has
// said itself what was wrong.
type ExitError struct{ Code int }

// Error says the code.
func (e *ExitError) Error() string { return fmt.Sprintf("exit code %d", e.Code) }

// ExitCode is what a plugin ends with for an error of its command.
func ExitCode(err error) int {
	exit := &ExitError{}
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.Code
	}
	return 1
}

// Message is an error in kubectl's words; empty if it has been said already.
func Message(err error) string {
	if exit := (&ExitError{}); err == nil || errors.As(err, &exit) {
		return ""
	}
	return record.Printable(message(err))
}

func message(err error) string {
	var api apierrors.APIStatus
	if errors.As(err, &api) {
		return fromServer(api.Status())
	}
	if unreachable := (&url.Error{}); errors.As(err, &unreachable) {
		return "Unable to connect to the server: " + unreachable.Err.Error()
	}
	return "error: " + strings.TrimPrefix(err.Error(), "error: ")
}

func fromServer(status metav1.Status) string {
	switch {
	case status.Reason == metav1.StatusReasonInvalid && status.Details != nil && len(status.Details.Causes) > 0:
		return invalid(status.Details)
	case status.Reason == metav1.StatusReasonUnauthorized:
		return "error: You must be logged in to the server (" + status.Message + ")"
	case status.Reason != "":
		return fmt.Sprintf("Error from server (%s): %s", status.Reason, status.Message)
	}
	return "Error from server: " + status.Message
}

func invalid(details *metav1.StatusDetails) string {
	head := fmt.Sprintf("The %s %q is invalid:", details.Kind, details.Name)
	if len(details.Causes) == 1 {
		return fmt.Sprintf("%s %s: %s", head, details.Causes[0].Field, details.Causes[0].Message)
	}
	for _, cause := range details.Causes {
		head += fmt.Sprintf("\n* %s: %s", cause.Field, cause.Message)
	}
	return head
}
