package postgres

import (
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// transaction is what the frontend knows of the session's explicit transaction while
// it runs ahead of the target's answers.
type transaction struct {
	// segment is the last one in which a transaction was begun or ended, open what the
	// newest statement of that kind makes of it.
	segment int64
	open    bool
	// wrote is when the transaction first did more than read.
	wrote time.Time
}

// inTransaction says whether an explicit transaction is open for what comes now. Only
// rules ask it.
func (f *frontend) inTransaction() (bool, error) {
	if !f.ruled {
		return false, nil
	}
	if f.transaction.segment == f.segment {
		return f.transaction.open, nil
	}
	if f.transaction.segment > 0 {
		if err := f.answered(f.transaction.segment); err != nil {
			return false, err
		}
	}
	return f.status() != wire.StatusIdle, nil
}

// held says whether an explicit transaction is open, at a moment when all is answered.
func (f *frontend) held() bool {
	open, err := f.inTransaction()
	return open && err == nil
}

// status of the transaction at the last ReadyForQuery.
func (f *frontend) status() byte {
	f.pipeline.mu.Lock()
	defer f.pipeline.mu.Unlock()
	return f.pipeline.status
}

// runs follows a statement that is about to be sent.
func (f *frontend) runs(s *sql.Statement) {
	f.view.moves(s)
	action := &s.Action
	switch action.Kind {
	case "begin":
		f.transaction = transaction{segment: f.segment, open: true}
	case "commit", "rollback", "prepare transaction":
		f.transaction = transaction{segment: f.segment, open: s.Chains}
	default:
		if f.ruled && f.transaction.wrote.IsZero() && locks(action) {
			f.transaction.wrote = f.now()
		}
	}
}

// ends says whether an action may end the transaction that it runs in.
func ends(kind string) bool {
	switch kind {
	case "commit", "rollback", "prepare transaction":
		return true
	}
	return false
}

// controls says whether an action begins, ends or divides a transaction.
func controls(kind string) bool {
	switch kind {
	case "begin", "savepoint", "release", "rollback to":
		return true
	}
	return ends(kind)
}

// locks says whether an action may hold locks that make others wait.
func locks(action *policy.Action) bool {
	switch action.Kind {
	case "select", "show", "fetch", "move", "declare", "close", "explain", "set", "reset",
		"copy-to", "savepoint", "release", "rollback to", "prepare", "deallocate", "listen", "unlisten":
		for _, access := range action.Access {
			if access.Privilege != v1alpha1.PrivilegeSelect {
				return true
			}
		}
		return false
	}
	return true
}
