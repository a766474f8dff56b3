package postgres

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
	"github.com/sallyport/sallyport/proxy/session"
)

// gate holds the COMMIT of a transaction that has done what a rule with effect
// HoldCommit names.
//
// It knows transactions by what the target confirms: an explicit one is open at
// status T, and over when a COMMIT or ROLLBACK of it has completed or the status is I.
// Before the first statement of one that may do more than set it up, the gate takes
// the baseline that its effects are counted from.
type gate struct {
	// on says that the policy has such a rule.
	on bool
	// spec says how commits are held.
	spec v1alpha1.AccessPolicySpec
	// number is the transaction that the rest is about, as the pipeline counts them.
	number int64
	// baseline has the counters at its beginning; nil without a transaction.
	baseline map[string]counters
	// by is what holds its COMMIT; nil if nothing does yet.
	by *session.Admission
	// did is what the reviewers should know of it.
	did deeds
	// mixed says that the message being judged begins or ends transactions among other
	// statements.
	mixed bool
	// failure, while its COMMIT is held, is why its effects cannot be told.
	failure error
}

// deeds are what a transaction has done, by its statements.
type deeds struct {
	texts []string
	bytes int
	more  int
	// newest is the text kept last, of the message that is being judged.
	newest string
	// named are relations that a statement has changed alone, in that order.
	named []policy.Access
	// savepoints and copies say that it had some; others are kinds whose effects no
	// counter shows.
	savepoints, copies bool
	others             []string
}

// afterHold is how much longer than a held COMMIT its transaction may idle: should the
// proxy fail, the target rolls it back by itself.
const afterHold = 30 * time.Second

// maxDeeds bounds the texts that reviewers of a COMMIT see, in bytes.
const maxDeeds = 12 << 10

// enter looks at the transaction that a statement of that kind is going to run in.
func (f *frontend) enter(kind string) error {
	if !f.gate.on || f.transaction.segment == f.segment {
		return nil
	}
	if f.transaction.segment > 0 {
		if err := f.answered(f.transaction.segment); err != nil {
			return err
		}
	}
	p := f.pipeline
	p.mu.Lock()
	status, number := p.status, p.transactions
	p.mu.Unlock()
	if number != f.gate.number {
		f.gate.number, f.gate.baseline, f.gate.by, f.gate.did = number, nil, nil, deeds{}
	}
	// What sets a transaction up must come before its first query. A savepoint comes
	// after the gate: going back to it would take the gate's settings back.
	if status != wire.StatusOpen || f.gate.baseline != nil || controls(kind) && kind != "savepoint" || sets(kind) {
		return nil
	}
	if err := f.settle(); err != nil {
		return err
	}
	if f.ignored() {
		return nil
	}
	return f.openGate()
}

// ignored says that the target ignores the rest of the segment.
func (f *frontend) ignored() bool {
	f.pipeline.mu.Lock()
	defer f.pipeline.mu.Unlock()
	return f.open && f.pipeline.skipping
}

// openGate bounds how long the transaction can make others wait, and takes its
// baseline.
func (f *frontend) openGate() error {
	milliseconds := func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
	spec := f.gate.spec
	rows, err := f.inquire(f.ctx, "SELECT pg_catalog.set_config('lock_timeout', $1, true), "+
		"pg_catalog.set_config('statement_timeout', $2, true), "+
		"pg_catalog.set_config('idle_in_transaction_session_timeout', $3, true), "+
		"pg_catalog.current_setting('track_counts')",
		milliseconds(policy.LockTimeout(spec)), milliseconds(policy.StatementTimeout(spec)),
		milliseconds(policy.CommitTimeout(spec)+afterHold))
	if err != nil {
		return f.asFault(err)
	}
	if len(rows) != 1 || len(rows[0]) != 4 || string(rows[0][3]) != "on" {
		return &fault{code: codeNotSupported, message: "the target does not count changes, so no COMMIT can be held",
			hint: "Whoever runs it turns track_counts on."}
	}
	baseline, err := f.counters()
	if err != nil {
		return f.asFault(err)
	}
	f.gate.baseline = baseline
	return nil
}

// asFault is what the target says against a query of ours, as an answer to the
// statement that it was for. The transaction has failed with it.
func (f *frontend) asFault(err error) error {
	if told, ok := errors.AsType[*ownError](err); ok {
		return &fault{code: told.report.Code, message: f.scan(printable(told.report.Message)),
			hint: "The proxy was looking at the transaction, whose COMMIT a rule may hold."}
	}
	return err
}

// pass judges an operation that is admitted by the transaction it runs in.
func (f *frontend) pass(admission session.Admission, operation *session.Operation) error {
	action := &operation.Action
	gated := admission.Effect == v1alpha1.EffectHoldCommit && !controls(action.Kind)
	// A rule that came after the session has begun finds no gate, and so no transaction.
	if !f.gate.on && !gated || operation.PrepareOnly {
		return nil
	}
	if err := f.mayPass(action, gated, operation.Text); err != nil {
		return f.notRun(admission, err)
	}
	if gated && f.gate.by == nil {
		by := admission
		f.gate.by = &by
	}
	if f.gate.baseline != nil {
		f.gate.did.note(action, operation)
	}
	return nil
}

func (f *frontend) mayPass(action *policy.Action, gated bool, text string) error {
	mixed := action.Statements > 1 && f.gate.mixed
	switch {
	case gated && (f.gate.baseline == nil || f.transaction.segment == f.segment || mixed):
		return &fault{code: codeNoTransaction, message: "a rule holds the COMMIT of this statement, so it runs in an explicit transaction only",
			hint: "Send BEGIN and wait for its answer, then the statements, then COMMIT, each in a message of its own."}
	case f.gate.by != nil && mixed && !gated:
		return &fault{code: codeNoTransaction, message: "the COMMIT of this transaction is held: send what ends it in a message of its own"}
	case f.gate.by != nil && action.Kind == "prepare transaction":
		return &fault{code: codeNotSupported, message: "a transaction whose COMMIT is held cannot be prepared for a commit in two phases"}
	case f.gate.baseline != nil && changesTimeouts(action, text):
		return &fault{code: codeNotAllowed, message: "lock_timeout, statement_timeout and idle_in_transaction_session_timeout are set by the proxy in a transaction whose COMMIT may be held"}
	}
	return nil
}

// timeouts are the settings that the gate relies on.
var (
	timeouts     = []string{"lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "*"}
	namesTimeout = regexp.MustCompile(`(?i)lock_timeout|statement_timeout|idle_in_transaction_session_timeout|\\|U&|\ball\b`)
)

func changesTimeouts(action *policy.Action, text string) bool {
	return slices.ContainsFunc(action.Settings, func(name string) bool { return slices.Contains(timeouts, name) }) ||
		len(action.Settings) == 0 && sets(action.Kind) && action.Kind != "show" && namesTimeout.MatchString(text)
}

// sets says whether an action sets a transaction up, or reads a setting.
func sets(kind string) bool { return kind == "set" || kind == "reset" || kind == "show" }

// mixes says whether statements of one message begin or end a transaction.
func mixes(statements []sql.Statement) bool {
	return len(statements) > 1 && slices.ContainsFunc(statements, func(s sql.Statement) bool {
		return s.Action.Kind == "begin" || ends(s.Action.Kind)
	})
}

// note keeps what reviewers of the COMMIT should know.
func (d *deeds) note(action *policy.Action, operation *session.Operation) {
	switch action.Kind {
	case "savepoint":
		d.savepoints = true
	case "copy-from":
		d.copies = true
	case "insert", "update", "delete":
		d.name(action)
	case "merge", "select":
	default:
		if locks(action) && !controls(action.Kind) && !slices.Contains(d.others, action.Kind) {
			d.others = append(d.others, action.Kind)
		}
	}
	if action.Position == 0 {
		d.newest = ""
	}
	// What stands first in a message may be shown with all of it.
	if !matters(action) || strings.Contains(d.newest, operation.Text) {
		return
	}
	text := operation.Text
	if len(operation.Literals) > 0 {
		text += "\n-- values: " + strings.Join(operation.Literals, ", ")
	}
	if d.bytes += len(text); d.bytes > maxDeeds || d.more > 0 {
		d.more++
		return
	}
	d.newest = operation.Text
	d.texts = append(d.texts, strings.TrimRight(text, "; \t\r\n"))
}

// matters says whether reviewers should read a statement: one that only reads by what
// is known of it does not.
func matters(action *policy.Action) bool {
	return !controls(action.Kind) && (locks(action) || action.Opaque != "" || len(action.Functions) > 0)
}

// maxNamed bounds the relations that reviewers see rows of.
const maxNamed = 8

// name keeps the one relation that an action changes by name.
func (d *deeds) name(action *policy.Action) {
	var changed []policy.Access
	for _, access := range action.Access {
		if access.Via == "" && access.Privilege != v1alpha1.PrivilegeSelect {
			changed = append(changed, policy.Access{Schema: access.Schema, Name: access.Name})
		}
	}
	slices.SortFunc(changed, func(a, b policy.Access) int { return strings.Compare(a.Schema+"."+a.Name, b.Schema+"."+b.Name) })
	if changed = slices.Compact(changed); len(changed) != 1 || len(d.named) == maxNamed || slices.Contains(d.named, changed[0]) {
		return
	}
	d.named = append(d.named, changed[0])
}

// awaitCommit holds a COMMIT that is about to be sent, if anything holds it. After any
// error that is told to the client the transaction is rolled back.
func (f *frontend) awaitCommit(operation int64) error {
	if !f.gate.on || f.gate.by == nil {
		return nil
	}
	if err := f.settle(); err != nil {
		return err
	}
	if f.ignored() || f.status() == wire.StatusFailed {
		// It does not commit.
		return nil
	}
	if f.transaction.segment == f.segment {
		return f.rollBack(&fault{code: codeNoTransaction, message: "the COMMIT of this transaction is held: send it alone, and wait for what went before"})
	}
	held := v1alpha1.HeldOperation{Kind: "commit", Text: f.gate.did.text()}
	by := f.gate.by
	err := f.released(f.session.AwaitCommit(f.ctx, operation, by.Rule, by.Message, held, f.commitHold()))
	if f.gate.failure != nil {
		err, f.gate.failure = f.gate.failure, nil
	}
	_, told := refusal(err)
	switch {
	case err == nil, errors.Is(err, errSkipped):
		return err
	case told != nil:
		return told
	}
	return f.rollBack(err)
}

// rollBack ends the transaction in place of the client's COMMIT, and returns why.
func (f *frontend) rollBack(why error) error {
	if _, err := f.inquire(f.ctx, "ROLLBACK"); err != nil {
		return fmt.Errorf("roll back what was not approved: %w", err)
	}
	f.view.moves(&sql.Statement{Action: policy.Action{Kind: "rollback"}})
	return why
}

func (f *frontend) commitHold() session.Hold {
	hold := f.hold.Hold
	hold.Describe = f.describeCommit
	return hold
}

// text is what reviewers of the COMMIT read.
func (d *deeds) text() string {
	text := strings.Join(d.texts, ";\n")
	if d.more > 0 {
		text += fmt.Sprintf(";\n-- and %d more", d.more)
	}
	return text + ";\nCOMMIT"
}

// describeCommit begins the wait of a COMMIT, and tells its reviewers what the
// transaction has done.
func (f *frontend) describeCommit(ctx context.Context, held *v1alpha1.HeldOperation) {
	if !f.pause() {
		return
	}
	f.conceal(held)
	if err := f.describeEffects(ctx, held); err != nil {
		f.gate.failure = f.asFault(err)
		f.waiting.withdraw()
	}
}
