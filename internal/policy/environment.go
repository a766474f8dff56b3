package policy

import (
	"fmt"
	"reflect"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
)

// What an expression may cost, in CEL's units: a policy above it by estimate does
// not compile, and an evaluation that passes it fails. A million is some tens of
// milliseconds.
const costLimit = 1_000_000

// Sizes that estimates assume. Where a statement is larger the limit at run time
// still holds.
const (
	assumedItems = 64
	assumedBytes = 256
)

// actionEnvironment is what rules see, requestEnvironment what autoApprove sees.
var (
	actionEnvironment = sync.OnceValues(func() (*cel.Env, error) {
		return environment(
			cel.Variable("action", cel.ObjectType("policy.celAction")),
			cel.Variable("session", cel.ObjectType("policy.celSession")),
			cel.Variable("task", cel.ObjectType("policy.celTask")))
	})
	requestEnvironment = sync.OnceValues(func() (*cel.Env, error) {
		return environment(
			cel.Variable("request", cel.ObjectType("policy.celRequest")),
			cel.Variable("task", cel.ObjectType("policy.celTask")))
	})
)

func environment(variables ...cel.EnvOption) (*cel.Env, error) {
	return cel.NewEnv(append([]cel.EnvOption{
		ext.NativeTypes(ext.ParseStructTags(true),
			reflect.TypeFor[celAction](), reflect.TypeFor[celSession](), reflect.TypeFor[celTask](), reflect.TypeFor[celRequest]()),
		ext.Sets(),
		cel.ParserExpressionSizeLimit(4096),
		cel.ParserRecursionLimit(64),
		cel.ParserErrorRecoveryLimit(8),
	}, variables...)...)
}

// compile turns an expression into a program; the error is Errors.
func compile(environment func() (*cel.Env, error), field, expression string) (cel.Program, error) {
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("building the CEL environment: %w", err)
	}
	ast, issues := env.Compile(expression)
	if issues.Err() != nil {
		var found Errors
		for _, issue := range issues.Errors() {
			found = append(found, &Error{
				Field: field, Line: issue.Location.Line(), Column: issue.Location.Column() + 1, Message: issue.Message,
			})
		}
		return nil, found
	}
	if ast.OutputType() != types.BoolType {
		return nil, Errors{{Field: field, Line: 1, Column: 1, Message: "yields " + ast.OutputType().String() + ": a bool is needed"}}
	}
	estimate, err := env.EstimateCost(ast, sizes{})
	if err != nil {
		return nil, Errors{{Field: field, Message: "its cost cannot be estimated: " + err.Error()}}
	}
	if estimate.Max > costLimit {
		return nil, Errors{{Field: field, Message: fmt.Sprintf("may cost %d, the limit is %d: nest fewer exists() and all()", estimate.Max, costLimit)}}
	}
	program, err := env.Program(ast, cel.CostLimit(costLimit), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, Errors{{Field: field, Message: err.Error()}}
	}
	return program, nil
}

// evaluate answers an expression; anything but true or false is an error.
func evaluate(program cel.Program, variables map[string]any) (bool, error) {
	out, _, err := program.Eval(variables)
	if err != nil {
		return false, err
	}
	answer, ok := out.(types.Bool)
	if !ok {
		return false, fmt.Errorf("yielded %v: a bool is needed", out.Type())
	}
	return bool(answer), nil
}

// sizes bounds the variables for estimates.
type sizes struct{}

func (sizes) EstimateSize(node cost.AstNode) *cost.SizeEstimate {
	if len(node.Path()) == 0 {
		return nil
	}
	limit := uint64(assumedBytes)
	if node.Type().Kind() == types.ListKind {
		limit = assumedItems
	}
	return &cost.SizeEstimate{Min: 0, Max: limit}
}

func (sizes) EstimateCallCost(_, _ string, _ *cost.AstNode, _ []cost.AstNode) *cost.CallEstimate {
	return nil
}
