package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

// preview fills in the planner's estimate, or why there is none. Planning can run
// functions that call themselves IMMUTABLE, so it is asked about PostgreSQL's own only.
func (f *frontend) preview(ctx context.Context, held *v1alpha1.HeldOperation) {
	rows, err := f.estimate(ctx)
	if err != nil {
		held.Preview = "preview unavailable: " + f.scan(printable(err.Error()))
		return
	}
	held.EstimatedRows, held.Preview = &rows, "the planner's estimate, before it runs"
}

func (f *frontend) estimate(ctx context.Context) (int64, error) {
	explain, err := f.explainable(f.hold.reading)
	if err != nil {
		return 0, err
	}
	rows, err := f.observer.inquire(ctx, explain+f.hold.text)
	switch {
	case err != nil:
		return 0, err
	case len(rows) != 1 || len(rows[0]) != 1:
		return 0, fmt.Errorf("the target explains it in %d rows", len(rows))
	}
	return estimated(rows[0][0])
}

// explainable is what to put before the text, where that is safe.
func (f *frontend) explainable(reading *sql.Statement) (string, error) {
	action := &reading.Action
	switch action.Kind {
	case "select", "insert", "update", "delete", "merge":
	default:
		return "", fmt.Errorf("there is no plan for %s", action.Kind)
	}
	switch {
	case action.Statements != 1:
		return "", fmt.Errorf("the message has %d statements", action.Statements)
	case action.Opaque != "":
		return "", fmt.Errorf("planning could run what cannot be looked into: %s", action.Opaque)
	case len(action.Functions) > 0:
		return "", fmt.Errorf("planning could run function %s", action.Functions[0])
	case f.view.pathMoved():
		return "", fmt.Errorf("the session has changed its search_path")
	}
	for _, call := range action.Calls {
		// A plan runs no trigger.
		triggered := call.Volatility == "volatile" && strings.HasPrefix(call.Via, "trigger ")
		if !triggered && !strings.HasPrefix(call.Function, "pg_catalog.") {
			return "", fmt.Errorf("planning could run function %s", call.Function)
		}
	}
	if f.hold.values == 0 {
		return "EXPLAIN (FORMAT JSON) ", nil
	}
	if f.up.major() < 16 {
		return "", fmt.Errorf("the statement has parameters, and the target is older than PostgreSQL 16")
	}
	return "EXPLAIN (FORMAT JSON, GENERIC_PLAN) ", nil
}

// plan is what we read of EXPLAIN's JSON.
type plan struct {
	Node  string  `json:"Node Type"`
	Rows  float64 `json:"Plan Rows"`
	Plans []plan  `json:"Plans"`
}

// estimated rows that a plan returns, or changes: a ModifyTable returns none.
func estimated(explained []byte) (int64, error) {
	var plans []struct {
		Plan plan `json:"Plan"`
	}
	if err := json.Unmarshal(explained, &plans); err != nil || len(plans) != 1 {
		return 0, fmt.Errorf("the target's plan cannot be read")
	}
	top := plans[0].Plan
	rows := top.Rows
	if top.Node == "ModifyTable" {
		rows = 0
		for _, source := range top.Plans {
			rows += source.Rows
		}
	}
	if math.IsNaN(rows) || rows < 0 || rows > math.MaxInt64/2 {
		return 0, fmt.Errorf("the target estimates %v rows", rows)
	}
	return int64(rows), nil
}
