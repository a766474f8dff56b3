package policy

import "github.com/sallyport/sallyport/api/v1alpha1"

// Action is one operation in the words that policies judge. An engine makes it;
// nothing of the wire is left in it.
type Action struct {
	// Protocol that the operation came by: "postgres".
	Protocol string
	// Kind of operation in the protocol's own word, lower case: "select",
	// "insert", "update", "delete", "merge", "copy-from", "copy-to", "explain",
	// "begin", "commit", "rollback", "savepoint", "set", "show", "declare",
	// "fetch", "drop table", "create table", …
	Kind string
	// Access is every relation that the operation touches, with the privilege that
	// it needs there.
	Access []Access
	// Functions that it calls, as schema.name, sorted; PostgreSQL's own harmless
	// ones are left out.
	Functions []string
	// Sequences that it draws from, as schema.name.
	Sequences []string
	// HasWhere says that an update or delete names its rows.
	HasWhere bool
	// Statements is how many statements arrived in the same message, Position the
	// place of this one among them, from 0.
	Statements, Position int
	// Unknown is why the engine does not understand the operation; if it is not
	// empty the decision is Deny, whatever the rules say.
	Unknown string
}

// Access is one relation, and the privilege that an operation needs on it.
type Access struct {
	Schema, Name string
	Privilege    v1alpha1.RelationPrivilege
}

// Context is what rules may ask beside the action.
type Context struct {
	Session SessionContext
	Task    TaskContext
}

// SessionContext is what rules know of the session.
type SessionContext struct {
	User, Database, Application string
}

// TaskContext is what rules know of the task.
type TaskContext struct {
	ID, Type, URL, Reviewer, Requester, Request, Namespace, Target string
	Groups                                                         []string
}
