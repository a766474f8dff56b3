package policy

import (
	"fmt"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
)

// What an expression may cost, in CEL's units: a policy above it by estimate does
// not compile, and an evaluation that passes it fails. A million is some tens of
// milliseconds.
const costLimit = 1_000_000

// actionEnvironment is what rules see, requestEnvironment what autoApprove sees.
var (
	actionEnvironment = sync.OnceValues(func() (*cel.Env, error) {
		return environment(
			cel.Variable("action", actionKind.is), cel.Variable("session", sessionKind.is), cel.Variable("task", taskKind.is))
	})
	requestEnvironment = sync.OnceValues(func() (*cel.Env, error) {
		return environment(cel.Variable("request", requestKind.is), cel.Variable("task", taskKind.is))
	})
)

func environment(variables ...cel.EnvOption) (*cel.Env, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	known := provider{Registry: registry, kinds: map[string]*kind{}}
	for _, k := range []*kind{actionKind, accessKind, columnKind, callKind, valueKind, commandKind, fileKind, sessionKind, taskKind, requestKind} {
		known.kinds[k.is.TypeName()] = k
	}
	return cel.NewEnv(append([]cel.EnvOption{
		cel.CustomTypeProvider(known),
		cel.CustomTypeAdapter(registry),
		ext.Sets(),
		cel.ParserExpressionSizeLimit(4096),
		cel.ParserRecursionLimit(64),
		cel.ParserErrorRecoveryLimit(8),
	}, variables...)...)
}

// A program is an expression ready to be evaluated.
type program struct {
	// quick counts no cost: for inputs within the sizes that the estimate assumed, the
	// estimate is the bound.
	quick cel.Program
	// counted stops at costLimit.
	counted cel.Program
}

// compile turns an expression into a program; the error is Errors.
func compile(environment func() (*cel.Env, error), field, expression string) (program, error) {
	env, err := environment()
	if err != nil {
		return program{}, fmt.Errorf("building the CEL environment: %w", err)
	}
	ast, issues := env.Compile(expression)
	if issues.Err() != nil {
		var found Errors
		for _, issue := range issues.Errors() {
			found = append(found, &Error{
				Field: field, Line: issue.Location.Line(), Column: issue.Location.Column() + 1, Message: issue.Message,
			})
		}
		return program{}, found
	}
	if ast.OutputType() != types.BoolType {
		return program{}, Errors{{Field: field, Line: 1, Column: 1, Message: "yields " + ast.OutputType().String() + ": a bool is needed"}}
	}
	estimate, err := env.EstimateCost(ast, sizes{})
	if err != nil {
		return program{}, Errors{{Field: field, Message: "its cost cannot be estimated: " + err.Error()}}
	}
	if estimate.Max > costLimit {
		return program{}, Errors{{Field: field, Message: fmt.Sprintf("may cost %d, the limit is %d: nest fewer exists() and all()", estimate.Max, costLimit)}}
	}
	counted, err := env.Program(ast, cel.CostLimit(costLimit), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return program{}, Errors{{Field: field, Message: err.Error()}}
	}
	quick, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return program{}, Errors{{Field: field, Message: err.Error()}}
	}
	return program{quick: quick, counted: counted}, nil
}

// evaluate answers the expression; anything but true or false is an error. small says
// that the input is within the sizes that the estimate assumed.
func (p program) evaluate(in *input, small bool) (bool, error) {
	chosen := p.counted
	if small {
		chosen = p.quick
	}
	out, _, err := chosen.Eval(in)
	if err != nil {
		return false, err
	}
	answer, ok := out.(types.Bool)
	if !ok {
		return false, fmt.Errorf("yielded %v: a bool is needed", out.Type())
	}
	return bool(answer), nil
}
