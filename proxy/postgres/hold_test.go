package postgres

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

// payments grants two tables more, and holds by the rule that sees writes.
func payments(effect v1alpha1.Effect, change ...func(*v1alpha1.AccessPolicySpec)) func(*v1alpha1.AccessPolicySpec) {
	return func(spec *v1alpha1.AccessPolicySpec) {
		*spec = sessiontest.Holding(*spec, effect)
		spec.Rules[0].When = "action.kind in ['insert', 'update', 'delete']"
		spec.Hold.CommitTimeoutSeconds, spec.Hold.LockTimeoutSeconds, spec.Hold.StatementTimeoutSeconds = 60, 5, 60
		for _, name := range []string{"payments", "ledger"} {
			spec.Grant.Postgres.Relations = append(spec.Grant.Postgres.Relations, v1alpha1.RelationGrant{
				Schema: "public", Name: name, Privileges: []v1alpha1.RelationPrivilege{
					v1alpha1.PrivilegeSelect, v1alpha1.PrivilegeInsert, v1alpha1.PrivilegeUpdate, v1alpha1.PrivilegeDelete,
				},
			})
		}
		for _, apply := range change {
			apply(spec)
		}
	}
}

// amount of a payment, as the superuser sees it.
func amount(t testing.TB, id string) string {
	t.Helper()
	return target.QueryString(t, "orders", "SELECT amount FROM payments WHERE id = "+id)
}

func TestPG10_APsqlUserIsToldHowToApproveAndGoesOn(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: payments(v1alpha1.EffectHold)})
	go func() {
		held := p.Reviewers.Next(t)
		if held.Operation.Preview != "the planner's estimate, before it runs" || held.Operation.EstimatedRows == nil || *held.Operation.EstimatedRows != 1 {
			t.Errorf("%q, %v", held.Operation.Preview, held.Operation.EstimatedRows)
		}
		held.Approve()
	}()
	out, problems, code := p.psql(t, p.dsn(), "-c", "UPDATE payments SET amount = 11 WHERE id = 1", "-c", "SELECT 'on'")
	if code != 0 || out != "UPDATE 1\non\n" || !strings.Contains(problems, "NOTICE") || !strings.Contains(problems, "kubectl approve") {
		t.Errorf("%d: %s %s", code, out, problems)
	}
	if got := amount(t, "1"); got != "11" {
		t.Error(got)
	}
}

func TestPG10_ADeniedStatementFailsItsTransactionAlone(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: payments(v1alpha1.EffectHold)})
	r := p.ready(t)
	r.write(query("BEGIN"))
	expect(t, r.untilReady(), "BEGIN", "ready T")
	r.write(query("UPDATE payments SET amount = 12 WHERE id = 2"))
	held := p.Reviewers.Next(t)
	held.Deny("not today")
	expect(t, r.until("ready E"), "notice", "ERROR 42501", "ready E")
	r.write(query("SELECT 1"))
	expect(t, r.untilReady(), "ERROR 25P02", "ready E")
	r.write(query("ROLLBACK"), query("SELECT 2"))
	expect(t, append(r.untilReady(), r.untilReady()...), "ROLLBACK", "ready I", "columns", "row 2", "SELECT 1", "ready I")
	if got := amount(t, "2"); got != "10" {
		t.Error(got)
	}
}

func TestPG10_AHoldInATransactionWarnsOfItsLocks(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: payments(v1alpha1.EffectHold, func(s *v1alpha1.AccessPolicySpec) {
		s.Rules[0].When = "action.kind == 'delete'"
	})})
	r := p.ready(t)
	r.write(query("SET idle_in_transaction_session_timeout = '2s'"), query("BEGIN"), query("UPDATE payments SET amount = 13 WHERE id = 3"))
	for range 3 {
		r.untilReady()
	}
	r.write(query("DELETE FROM payments WHERE id = 3"))
	held := p.Reviewers.Next(t)
	warnings := strings.Join(held.Operation.Warnings, "\n")
	if !strings.Contains(warnings, "holds locks since") || !strings.Contains(warnings, "after 2s of waiting") {
		t.Error(warnings)
	}
	held.Expire()
	expect(t, r.until("ready E"), "notice", "ERROR 42501", "ready E")
}

// An approved COPY takes whatever its client sends, and reviewers are told.
func TestPG10_AHeldCopyWarnsThatItsRowsAreNotShown(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: payments(v1alpha1.EffectHold, func(s *v1alpha1.AccessPolicySpec) {
		s.Rules[0].When = "action.kind == 'copy-from'"
	})})
	r := p.ready(t)
	r.write(query("COPY ledger FROM stdin"))
	held := p.Reviewers.Next(t)
	if !strings.Contains(strings.Join(held.Operation.Warnings, "\n"), "rows that it copies are not shown") {
		t.Error(held.Operation.Warnings)
	}
	held.Deny("no")
	expect(t, r.until("ready I"), "notice", "ERROR 42501", "ready I")
}

// What was reviewed is what runs, whatever the client sends while it waits.
func TestPG8_AStatementCannotChangeWhileItIsHeld(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: payments(v1alpha1.EffectHold)})
	r := p.ready(t)
	const text, other = "UPDATE payments SET amount = $1 WHERE id = 4", "UPDATE payments SET amount = 99 WHERE id = $1"
	r.write(parse("s", text), syncUp())
	expect(t, r.untilReady(), "parsed", "ready I")
	r.write(&pgproto3.Bind{PreparedStatement: "s", Parameters: [][]byte{[]byte("14")}}, execute("", 0),
		closing('S', "s"), parse("s", other), &pgproto3.Bind{PreparedStatement: "s", Parameters: [][]byte{[]byte("4")}}, execute("", 0), syncUp())
	first := p.Reviewers.Next(t)
	if first.Operation.Text != text || !slices.Equal(first.Operation.Values, []string{"'14'"}) {
		t.Errorf("%+v", first.Operation)
	}
	p.Reviewers.None(t)
	first.Approve()
	second := p.Reviewers.Next(t)
	if second.Operation.Text != other || second.Operation.Digest == first.Operation.Digest {
		t.Errorf("%+v", second.Operation)
	}
	second.Deny("no")
	got := slices.DeleteFunc(r.untilReady(), func(m string) bool { return m == "notice" })
	expect(t, got, "bound", "UPDATE 1", "closed", "ERROR 42501", "ready I")
	if got := amount(t, "4"); got != "10" {
		t.Error("the segment was not rolled back:", got)
	}
}

// The target ignores what follows an error, so nobody is asked about it.
func TestPG8_WhatTheTargetWillIgnoreIsNotReviewed(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: payments(v1alpha1.EffectHold)})
	r := p.ready(t)
	r.write(parse("", "SELECT 1 / 0"), bind("", ""), execute("", 0),
		parse("", "UPDATE payments SET amount = 15 WHERE id = 5"), bind("", ""), execute("", 0), syncUp())
	got := r.untilReady()
	expect(t, slices.DeleteFunc(got, func(m string) bool { return m == "parsed" || m == "bound" }), "ERROR 22012", "ready I")
	r.write(query("SELECT 1"))
	expect(t, r.untilReady(), "columns", "row 1", "SELECT 1", "ready I")
}

// The client's own statement_timeout is the target's: it does not count the wait.
func TestPG10_StatementTimeoutDoesNotCountTheWait(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: payments(v1alpha1.EffectHold)})
	r := p.ready(t)
	r.write(query("SET statement_timeout = '50ms'"))
	r.untilReady()
	r.write(query("UPDATE payments SET amount = 16 WHERE id = 6"))
	held := p.Reviewers.Next(t)
	// Twice the timeout passes by the target's own clock.
	target.Exec(t, "orders", "SELECT pg_sleep(0.1)")
	held.Approve()
	expect(t, r.until("ready I"), "notice", "UPDATE 1", "ready I")
}

func TestPG10_CtrlCWithdrawsAndTheSessionGoesOn(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: payments(v1alpha1.EffectHold)})
	conn := p.connect(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := conn.Exec(ctx, "UPDATE payments SET amount = 17 WHERE id = 7")
		ended <- err
	}()
	held := p.Reviewers.Next(t)
	if err := conn.PgConn().CancelRequest(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; sqlState(err) != "57014" {
		t.Error(err)
	}
	held.AwaitWithdrawn(t)
	if _, err := conn.Exec(ctx, "SELECT 1"); err != nil {
		t.Error(err)
	}
}

func TestPG10_AClientThatLeavesWithdraws(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: payments(v1alpha1.EffectHold)})
	r := p.ready(t)
	r.write(query("BEGIN"), query("UPDATE payments SET amount = 18 WHERE id = 8"))
	held := p.Reviewers.Next(t)
	if err := r.conn.Close(); err != nil {
		t.Fatal(err)
	}
	held.AwaitWithdrawn(t)
}

// Reviewers see no password, nor what detectors find.
func TestPG10_ReviewersSeeTheTextMasked(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: payments(v1alpha1.EffectHold, func(s *v1alpha1.AccessPolicySpec) {
		s.Masking = &v1alpha1.MaskingPolicy{Detectors: []v1alpha1.DetectorMask{{Name: "card", Detect: v1alpha1.DetectPaymentCard}}}
	})})
	conn := p.connect(t)
	ended := make(chan error, 1)
	go func() {
		_, err := conn.Exec(t.Context(), "UPDATE payments SET card = $1 WHERE id = 9 AND card = '4012888888881881'", "5555555555554444")
		ended <- err
	}()
	held := p.Reviewers.Next(t)
	for _, text := range append(held.Operation.Values, held.Operation.Text) {
		if strings.Contains(text, "4012888888881881") || strings.Contains(text, "5555555555554444") {
			t.Errorf("%+v", held.Operation)
		}
	}
	held.Deny("no")
	<-ended
}

func TestAHeldOperationIsRecordedAsHeldAndOnceOnly(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: payments(v1alpha1.EffectHold)})
	conn := p.connect(t)
	go func() { p.Reviewers.Next(t).Approve() }()
	// pgx prepares first: nobody is asked before there are values.
	if _, err := conn.Exec(t.Context(), "UPDATE payments SET amount = $1 WHERE id = 10", 19); err != nil {
		t.Fatal(err)
	}
	p.Reviewers.None(t)
	holds := 0
	for _, event := range p.events(t) {
		if event.Type == record.EventHold {
			holds++
		}
	}
	if holds == 0 {
		t.Error("the recording has no hold")
	}
}
