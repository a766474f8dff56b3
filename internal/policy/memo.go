package policy

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

const (
	// maxMemories is how many decisions a policy remembers, maxMemoryKey how many bytes
	// of each question.
	maxMemories  = 1024
	maxMemoryKey = 2 << 10
)

// memo remembers decisions: tasks ask the same again and again. A question is known by
// all that rules can read of it, so what is remembered is what deciding anew would say.
type memo struct {
	// A rule that reads values, or the task, has to name them.
	readsBinds, readsTask bool

	mu        sync.Mutex
	decisions map[string]Decision
	// room for the question that is looked up.
	room []byte
}

// newMemo is nil where deciding costs little.
func newMemo(rules []v1alpha1.Rule) *memo {
	if len(rules) == 0 {
		return nil
	}
	names := func(variable string) bool {
		return slices.ContainsFunc(rules, func(r v1alpha1.Rule) bool { return strings.Contains(r.When, variable) })
	}
	return &memo{readsBinds: names("binds"), readsTask: names("task"), decisions: map[string]Decision{}}
}

// recall returns the decision if it is known; else the question to remember it by, ""
// for one that is not remembered.
func (m *memo) recall(a *Action, c *Context) (d Decision, known bool, question string) {
	if m.readsBinds && len(a.Binds) > 0 {
		return Decision{}, false, ""
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.room = appendSession(appendAction(m.room[:0], a), &c.Session)
	if m.readsTask {
		m.room = appendTask(m.room, &c.Task)
	}
	if d, known = m.decisions[string(m.room)]; known {
		return d, true, ""
	}
	if len(m.room) > maxMemoryKey {
		m.room = nil
		return Decision{}, false, ""
	}
	return Decision{}, false, string(m.room)
}

func (m *memo) remember(question string, d Decision) {
	// Whoever appends to it gets a list of their own.
	d.Matched = slices.Clip(d.Matched)
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.decisions) >= maxMemories {
		clear(m.decisions)
	}
	m.decisions[question] = d
}

// appendAction appends all of an action but its Binds. Each text and each list stands
// behind its length, so that no two actions read alike.
func appendAction(b []byte, a *Action) []byte {
	b = appendTexts(b, a.Protocol, a.Kind, a.Opaque, a.Unknown)
	b = append(b, bit(a.HasWhere)|bit(a.HasLimit)<<1|bit(a.NoCatalog)<<2)
	b = appendNumbers(b, a.Statements, a.Position, len(a.Access), len(a.Columns), len(a.Calls))
	for i := range a.Access {
		x := &a.Access[i]
		b = appendTexts(b, x.Schema, x.Name, string(x.Privilege), x.Via)
	}
	for i := range a.Columns {
		x := &a.Columns[i]
		b = appendTexts(b, x.Schema, x.Relation, x.Column, string(x.Use))
	}
	for i := range a.Calls {
		x := &a.Calls[i]
		b = append(appendTexts(b, x.Function, x.Volatility, x.Via), bit(x.Definer)|bit(x.Opaque)<<1)
	}
	b = appendList(b, a.Functions)
	b = appendList(b, a.Sequences)
	return appendList(b, a.Settings)
}

func appendSession(b []byte, s *SessionContext) []byte {
	return append(appendTexts(b, s.User, s.Database, s.Application), bit(s.InTransaction))
}

func appendTask(b []byte, t *TaskContext) []byte {
	b = appendTexts(b, t.ID, t.Type, t.URL, t.Reviewer, t.Requester, t.Request, t.Namespace, t.Target)
	return appendList(b, t.Groups)
}

func appendList(b []byte, list []string) []byte {
	return appendTexts(appendNumbers(b, len(list)), list...)
}

func appendTexts(b []byte, texts ...string) []byte {
	for _, text := range texts {
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	return b
}

func appendNumbers(b []byte, numbers ...int) []byte {
	for _, n := range numbers {
		b = binary.AppendVarint(b, int64(n))
	}
	return b
}

func bit(set bool) byte {
	if set {
		return 1
	}
	return 0
}
