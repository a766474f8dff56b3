package policy

import (
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
)

// Sizes that cost estimates assume: items of a list, bytes of a string. PostgreSQL's
// names have 63 bytes, and schema.name fits twice.
const (
	assumedItems = 64
	assumedBytes = 256
)

// small says that the action and what is known beside it are within those sizes.
func (in *input) small() bool {
	a, s, t := in.action, in.session, in.task
	return max(len(a.Access), len(a.Columns), len(a.Calls), len(a.Functions), len(a.Sequences), len(a.Binds), len(a.Settings), len(t.Groups)) <= assumedItems &&
		max(len(a.Protocol), len(a.Kind), len(a.Opaque), len(s.User), len(s.Database), len(s.Application),
			len(t.ID), len(t.Type), len(t.URL), len(t.Reviewer), len(t.Requester), len(t.Request), len(t.Namespace), len(t.Target)) <= assumedBytes &&
		short(a.Functions) && short(a.Sequences) && short(a.Settings) && short(t.Groups) &&
		each(a.Access, func(x *Access) int { return max(len(x.Schema)+1+len(x.Name), len(x.Via)) }) &&
		each(a.Columns, func(x *ColumnUse) int { return max(len(x.Schema), len(x.Relation), len(x.Column)) }) &&
		each(a.Calls, func(x *Call) int { return max(len(x.Function), len(x.Via)) }) &&
		each(a.Binds, func(x *Value) int { return len(x.Text) }) && a.SSH.small()
}

// small as for the action; what is nil is.
func (a *SSHAction) small() bool {
	if a == nil {
		return true
	}
	for _, argv := range a.Commands {
		if len(argv) > assumedItems || !short(argv) {
			return false
		}
	}
	return max(len(a.Commands), len(a.Files)) <= assumedItems &&
		max(len(a.Login), len(a.Command), len(a.Repository), len(a.Host), len(a.Socket), len(a.Name), len(a.Value)) <= assumedBytes &&
		each(a.Files, func(x *FileUse) int { return len(x.Path) })
}

func short(items []string) bool {
	return each(items, func(s *string) int { return len(*s) })
}

func each[E any](items []E, size func(*E) int) bool {
	for i := range items {
		if size(&items[i]) > assumedBytes {
			return false
		}
	}
	return true
}

// sizes bounds the variables for estimates.
type sizes struct{}

// EstimateSize knows the fields of variables; the rest CEL knows.
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

// EstimateCallCost leaves calls to CEL.
func (sizes) EstimateCallCost(_, _ string, _ *cost.AstNode, _ []cost.AstNode) *cost.CallEstimate {
	return nil
}
