package postgres

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
	"github.com/sallyport/sallyport/proxy/session"
)

// errSkipped is an operation that the target is going to ignore, as it ignores all
// that follows an error up to the next Sync.
var errSkipped = errors.New("the target ignores it")

// waiting is the wait for reviewers, which a cancel request may end.
type waiting struct {
	mu        sync.Mutex
	on        bool
	cancelled chan struct{}
}

// withdraw ends the wait, if there is one.
func (w *waiting) withdraw() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.on {
		return false
	}
	w.on = false
	close(w.cancelled)
	return true
}

func (w *waiting) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.on = true
}

// end returns the channel that the next wait is ended by.
func (w *waiting) end() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.on = false
	select {
	case <-w.cancelled:
		w.cancelled = make(chan struct{})
	default:
	}
	return w.cancelled
}

// cancel is what a cancel request does: it withdraws what is held, else it asks the
// target to stop what it runs.
func (r *relay) cancel(ctx context.Context) error {
	if r.waiting.withdraw() {
		return nil
	}
	return r.up.Cancel(ctx)
}

// hold is how the frontend lives through the wait for reviewers. Nothing of it costs
// an operation that is not held.
type hold struct {
	session.Hold
	// reading and text of the operation that is being admitted.
	reading *sql.Statement
	text    string
	values  int
	// unwatch ends the watch over the client; nil while nothing is held.
	unwatch func()
	// skipped says that the target ignores the operation.
	skipped bool
}

func (f *frontend) prepareHold() {
	f.waiting.cancelled = make(chan struct{})
	f.hold.Hold = session.Hold{Describe: f.describeHeld, Tell: f.tell, Cancelled: f.waiting.cancelled}
}

// tell tells the client something in passing.
func (f *frontend) tell(message string) error {
	return f.client.send(wire.AppendNotice(nil, wire.Report{Severity: "NOTICE", Code: "00000", Message: printable(message)}))
}

// admit is Session.Admit. An operation that is held waits here for its reviewers:
// all before it is answered, and the client is watched meanwhile.
func (f *frontend) admit(reading *sql.Statement, operation session.Operation) (session.Admission, error) {
	operation.Action, operation.Hold = reading.Action, &f.hold.Hold
	operation.Shown = sql.Scrub(operation.Text)
	if err := f.enter(operation.Action.Kind); err != nil {
		return session.Admission{}, err
	}
	var err error
	if operation.InTransaction, err = f.inTransaction(); err != nil {
		return session.Admission{}, err
	}
	f.hold.reading, f.hold.text, f.hold.values = reading, operation.Text, len(operation.Values)
	admission, err := f.session.Admit(f.ctx, operation)
	waited := f.hold.unwatch != nil
	if err := f.released(err); err != nil {
		return admission, explain(reading, err)
	}
	if waited {
		if err := f.unchanged(reading, operation.Text); err != nil {
			return admission, f.notRun(admission, err)
		}
	}
	return admission, f.pass(admission, &operation)
}

// unchanged refuses what was approved and now means something else: while it waited,
// others may have changed a view, a function or a trigger behind it.
func (f *frontend) unchanged(reading *sql.Statement, text string) error {
	if !f.view.followed {
		return nil
	}
	f.view.movedPath, f.view.movedCatalog = true, true
	if _, err := f.follow(); err != nil {
		return err
	}
	now := f.judge.Read(text, f.view.Session)
	at := reading.Action.Position
	if len(now) == 1 {
		at = 0
	}
	if at < len(now) {
		means, _, err := f.expand(&now[at], text)
		if err != nil {
			return err
		}
		if sameAction(means.Action, reading.Action) {
			return nil
		}
	}
	return &fault{code: codeNotAllowed, message: "what it would do has changed while it was held: a view, function, trigger or table behind it is another now",
		hint: "Send it again: its reviewers see what it does then."}
}

// sameAction compares what two readings of a text do, wherever it stands.
func sameAction(a, b policy.Action) bool {
	a.Statements, a.Position, a.Binds = b.Statements, b.Position, b.Binds
	return reflect.DeepEqual(a, b)
}

// notRun records that an operation that was admitted does not run, and returns why.
func (f *frontend) notRun(admission session.Admission, why error) error {
	if err := f.session.Result(f.ctx, record.Result{Operation: admission.Operation, Error: notRun}); err != nil {
		return err
	}
	return why
}

// released ends what describeHeld began.
func (f *frontend) released(err error) error {
	if f.hold.unwatch == nil && !f.hold.skipped {
		return err
	}
	if f.hold.unwatch != nil {
		f.hold.unwatch()
	}
	if f.hold.skipped && errors.Is(err, session.ErrWithdrawn) {
		err = errSkipped
	}
	f.hold.unwatch, f.hold.skipped = nil, false
	f.hold.Cancelled = f.waiting.end()
	return err
}

// pause begins a wait. False is an operation that the target ignores.
func (f *frontend) pause() bool {
	if err := f.settle(); err != nil {
		f.end(err)
		return false
	}
	f.waiting.begin()
	if f.ignored() {
		f.hold.skipped = true
		f.waiting.withdraw()
		return false
	}
	f.hold.unwatch = f.client.watch(f.end)
	return true
}

// describeHeld begins the wait of a statement, and completes what its reviewers see.
func (f *frontend) describeHeld(ctx context.Context, held *v1alpha1.HeldOperation) {
	if !f.pause() {
		return
	}
	f.conceal(held)
	f.preview(ctx, held)
	if f.hold.reading.Action.Kind == kindCopyIn {
		held.Warnings = append(held.Warnings, "the rows that it copies are not shown: its client sends them once it is approved")
	}
	if wrote := f.transaction.wrote; !wrote.IsZero() && f.held() {
		held.Warnings = append(held.Warnings, "it waits in a transaction that holds locks since "+wrote.UTC().Format(time.RFC3339))
	}
	if f.held() {
		f.warnOfTimeout(ctx, held)
	}
}

// warnOfTimeout says when the target is going to end the transaction before its
// reviewers must answer.
func (f *frontend) warnOfTimeout(ctx context.Context, held *v1alpha1.HeldOperation) {
	const setting = "SELECT setting FROM pg_catalog.pg_settings WHERE name OPERATOR(pg_catalog.=) 'idle_in_transaction_session_timeout'"
	rows, err := f.ask(ctx, setting)
	if err != nil || len(rows) != 1 || len(rows[0]) != 1 {
		return
	}
	milliseconds, err := strconv.ParseInt(rows[0][0], 10, 64)
	if idle := time.Duration(milliseconds) * time.Millisecond; err == nil && idle > 0 && idle < f.holdTimeout {
		held.Warnings = append(held.Warnings, fmt.Sprintf("the target ends its transaction after %s of waiting", idle))
	}
}

// conceal takes what must not leave out of what reviewers see.
func (f *frontend) conceal(held *v1alpha1.HeldOperation) {
	held.Text = f.scan(sql.Scrub(held.Text))
	for i, value := range held.Values {
		held.Values[i] = f.scan(value)
	}
}

// scan masks what detectors find.
func (f *frontend) scan(text string) string {
	masks := f.session.Masks()
	if !masks.Detects() {
		return text
	}
	return string(masks.Scan(nil, []byte(text), nil))
}
