package policy

import "github.com/sallyport/sallyport/api/v1alpha1"

// Action is one operation in the words that policies judge. An engine makes it;
// nothing of the wire is left in it.
type Action struct {
	// Protocol that the operation came by: "postgres", "ssh".
	Protocol string
	// Kind of operation in the protocol's own word, lower case: "select",
	// "insert", "update", "delete", "merge", "copy-from", "copy-to", "explain",
	// "begin", "commit", "rollback", "savepoint", "set", "show", "declare",
	// "fetch", "drop table", "create table", "listen", "do", …
	Kind string
	// Access is every relation that the operation touches, with the privilege that
	// it needs there: named by the operation itself, and reached through what it names.
	Access []Access
	// Columns are those that it reads and writes, sorted. Column "*" is all of them,
	// or one that could not be told.
	Columns []ColumnUse
	// Functions that it calls, as schema.name, sorted; PostgreSQL's own harmless
	// ones are left out.
	Functions []string
	// Calls are all functions that run: those of Functions, and those that triggers,
	// defaults, operators and other functions call.
	Calls []Call
	// Sequences that it draws from, as schema.name.
	Sequences []string
	// HasWhere says that an update or delete names its rows; HasLimit, that the
	// number of rows that come out is limited.
	HasWhere, HasLimit bool
	// Statements is how many statements arrived in the same message, Position the
	// place of this one among them, from 0.
	Statements, Position int
	// Binds are the values of its parameters, in order.
	Binds []Value
	// Settings that a SET, RESET or set_config changes, lower case; "*" is any.
	Settings []string
	// Opaque is why something that it runs cannot be looked into: a function in
	// another language, SQL made at run time. Empty where all is known. Which
	// functions those are, Calls says.
	Opaque string
	// NoCatalog says that the target's catalogs are not known: names are as they are
	// written, and nothing behind them is looked into.
	NoCatalog bool
	// SSH is what an operation on an SSH server is about; nil for any other protocol.
	SSH *SSHAction
	// Unknown is why the engine does not understand the operation; if it is not
	// empty the decision is Deny, whatever the rules say.
	Unknown string
}

// SSHAction is an operation on an SSH server. Action.Kind is the protocol's own word for
// it, and says which of the fields are set:
//
//	shell, terminal (pty-req), exec, env, signal           requests of a session channel
//	sftp, subsystem                                        subsystem requests
//	sftp open, sftp read, sftp remove, …                   operations of sftp: Files
//	scp upload, scp download, rsync upload, rsync download commands that move files: Files
//	git-upload-pack, git-receive-pack, git-upload-archive  Repository
//	direct-tcpip, tcpip-forward                            Host, Port
//	direct-streamlocal, streamlocal-forward                Socket
//	agent-forward, x11-forward
type SSHAction struct {
	// Login is the account on the server.
	Login string
	// Command is the command line as the client sent it, Commands the simple commands
	// of it in order, each by its words after quotes are gone. Where the line holds
	// anything that only a shell could tell (an expansion, a redirection, a glob)
	// Commands is empty and Action.Opaque says why.
	Command  string
	Commands [][]string
	// Terminal says that the channel has a terminal.
	Terminal bool
	// Files are those that it touches, by canonical absolute path.
	Files []FileUse
	// Bytes is how large the file is that it announces; -1 where nobody says.
	Bytes int64
	// Repository is a git repository's canonical absolute path, Push whether it is
	// written to.
	Repository string
	Push       bool
	// Host and Port of a forwarding, as the client writes them.
	Host string
	Port int32
	// Socket is a Unix socket's path.
	Socket string
	// Name of a variable or a subsystem, Value of the variable.
	Name, Value string
	// FromTarget says that bytes which no detector can look into come from the target.
	FromTarget bool
}

// noun is what clients call the operation.
func (a *Action) noun() string {
	if a.SSH != nil {
		return "operation"
	}
	return "statement"
}

// FileUse is a file and what is done with it.
type FileUse struct {
	Path   string
	Access v1alpha1.FileAccess
}

// Access is one relation, and the privilege that an operation needs on it.
type Access struct {
	Schema, Name string
	Privilege    v1alpha1.RelationPrivilege
	// Via is through what it is reached: "view public.v", "trigger t on public.orders".
	// Empty where the operation names it: only there the login itself needs the
	// privilege.
	Via string
}

func (a *Access) relation() string { return a.Schema + "." + a.Name }

// ColumnUse is a column and what an operation does with it.
type ColumnUse struct {
	Schema, Relation, Column string
	Use                      Use
}

// Use is what is done with a column.
type Use string

// The uses. A column may have several.
const (
	// UseOutput: its value, or what is computed from it, comes out.
	UseOutput Use = "output"
	// UseFilter: it decides which rows come out, in which order or groups.
	UseFilter Use = "filter"
	// UseWrite: it is written to.
	UseWrite Use = "write"
	// UseCopy: its value, or what is computed from it, is written somewhere: to a
	// relation, a setting, a notification.
	UseCopy Use = "copy"
	// UseCall: its value is handed to a function that is not PostgreSQL's own
	// harmless one, or is read inside such a function.
	UseCall Use = "call"
)

// Call is a function that runs.
type Call struct {
	// Function as schema.name.
	Function string
	// Volatility is "immutable", "stable" or "volatile"; "" where it is not known.
	Volatility string
	// Definer says that it runs with its owner's rights.
	Definer bool
	// Opaque says that it cannot be looked into; Action.Opaque then says why.
	Opaque bool
	// Via as in Access.
	Via string
}

// Value is a parameter's value.
type Value struct {
	// Null is SQL's NULL; Text then is empty.
	Null bool
	// Binary says that Text holds bytes in the type's binary format.
	Binary bool
	Text   string
}

// Context is what rules may ask beside the action.
type Context struct {
	Session SessionContext
	Task    TaskContext
}

// SessionContext is what rules know of the session.
type SessionContext struct {
	User, Database, Application string
	// InTransaction says that an explicit transaction is open.
	InTransaction bool
}

// TaskContext is what rules know of the task.
type TaskContext struct {
	ID, Type, URL, Reviewer, Requester, Request, Namespace, Target string
	Groups                                                         []string
}
