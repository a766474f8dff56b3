// Package sql reads SQL text with PostgreSQL's own grammar and says, in the
// words of policies, what it would do: kind, relations with the privileges
// needed there, functions, sequences.
//
// It fails closed. The walk visits every node of the parse tree; a node, setting,
// option or type that is not on one of the lists here makes the action Unknown,
// and so refused. Names are resolved as for the task's role, whose search_path is
// public: an unqualified relation is pg_catalog's if PostgreSQL has one of that
// name, else public's.
//
// What no parser can know, it does not claim: what views, triggers, rules, casts,
// operators and column defaults of the target run by themselves, a function in
// public with a harmless name and better fitting argument types, and a function
// called as if it were a column (SELECT t.f FROM t). There the role's own
// privileges on the target are what holds.
package sql

import (
	"github.com/sallyport/sallyport/internal/policy"
)

// Classifier turns SQL text into actions. It is safe for concurrent use and
// remembers recent texts.
type Classifier struct {
	cache *cache
}

// NewClassifier remembers texts and their actions up to about so many bytes.
func NewClassifier(bytes int) *Classifier { return &Classifier{cache: newCache(bytes)} }

// Classify returns one action for each statement of the text, in order; none
// for a text without a statement. A text that cannot be read is one action with
// Unknown set. The result is shared: callers do not change it.
func (c *Classifier) Classify(text string) []policy.Action {
	if actions, ok := c.cache.get(text); ok {
		return actions
	}
	actions := classify(text)
	c.cache.add(text, actions)
	return actions
}

func classify(text string) []policy.Action {
	statements := Read(text, Session{})
	actions := make([]policy.Action, len(statements))
	for i, one := range statements {
		actions[i] = one.Action
	}
	return actions
}

func refuse(reason string) []policy.Action {
	return []policy.Action{{Protocol: protocol, Unknown: reason, Statements: 1}}
}

const protocol = "postgres"
