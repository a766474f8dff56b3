package policy

import (
	"fmt"
	"strings"
)

// UnsupportedError is a policy that asks for something that is not enforced
// here; it grants nothing.
type UnsupportedError struct {
	// Field is the path of what is asked for, Value what it asks.
	Field, Value string
}

// Error says what to change.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("%s: %s is not enforced by this version: change it, or the policy grants nothing", e.Field, e.Value)
}

// Error is one expression that does not compile.
type Error struct {
	// Field is the path of the expression: "rules[no-deletes].when".
	Field string
	// Line and Column in the expression, from 1; 0 where there is no place.
	Line, Column int
	Message      string
}

// Error gives place and reason.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Field + ": " + e.Message
	}
	return fmt.Sprintf("%s: line %d, column %d: %s", e.Field, e.Line, e.Column, e.Message)
}

// Errors is everything that does not compile, in the policy's order.
type Errors []*Error

// Error joins them, one a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}
