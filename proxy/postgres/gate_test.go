package postgres

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

// gated is a proxy whose policy holds the COMMIT of what writes.
func gated(t *testing.T, changes ...func(*v1alpha1.AccessPolicySpec)) *proxy {
	t.Helper()
	return newProxy(t, change{policy: payments(v1alpha1.EffectHoldCommit, changes...)})
}

// say sends queries one by one, and returns what was answered without notices.
func (r *raw) say(texts ...string) []string {
	r.t.Helper()
	var seen []string
	for _, text := range texts {
		r.write(query(text))
		seen = append(seen, r.quiet()...)
	}
	return seen
}

// quiet is untilReady without notices.
func (r *raw) quiet() []string {
	r.t.Helper()
	return slices.DeleteFunc(r.untilReady(), func(m string) bool { return m == "notice" })
}

// effects by relation, as "inserted/updated/deleted".
func effects(held *sessiontest.Held) map[string][3]int64 {
	all := map[string][3]int64{}
	for _, e := range held.Operation.Effects {
		all[e.Relation] = [3]int64{e.Inserted, e.Updated, e.Deleted}
	}
	return all
}

func TestAnApprovedCommitShowsWhatItDidAndCommits(t *testing.T) {
	t.Parallel()
	p := gated(t)
	r := p.ready(t)
	expect(t, r.say("BEGIN", "UPDATE payments SET amount = 1001 WHERE id IN (101, 102)", "DELETE FROM payments WHERE id = 103"),
		"BEGIN", "ready T", "UPDATE 2", "ready T", "DELETE 1", "ready T")
	r.write(query("COMMIT"))
	held := p.Reviewers.Next(t)
	got := effects(held)
	// The trigger's rows are counted too.
	if got["public.payments"] != [3]int64{0, 2, 1} || got["public.ledger"] != [3]int64{2, 0, 0} || len(got) != 2 {
		t.Error(got)
	}
	if held.Operation.Point != v1alpha1.HoldAtCommit || !strings.Contains(held.Operation.Text, "DELETE FROM payments WHERE id = 103") {
		t.Errorf("%+v", held.Operation)
	}
	if got := amount(t, "101"); got != "10" {
		t.Error("it counts already:", got)
	}
	held.Approve()
	expect(t, r.quiet(), "COMMIT", "ready I")
	if got := amount(t, "101"); got != "1001" {
		t.Error(got)
	}
}

func TestACommitThatIsNotApprovedIsRolledBack(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]struct {
		by   func(*testing.T, *proxy, *raw, *sessiontest.Held)
		code string
	}{
		"denied":    {func(_ *testing.T, _ *proxy, _ *raw, h *sessiontest.Held) { h.Deny("too many") }, "42501"},
		"expired":   {func(_ *testing.T, _ *proxy, _ *raw, h *sessiontest.Held) { h.Expire() }, "42501"},
		"another":   {func(_ *testing.T, _ *proxy, _ *raw, h *sessiontest.Held) { h.Answer(approvedOther(h)) }, "42501"},
		"cancelled": {func(t *testing.T, p *proxy, r *raw, _ *sessiontest.Held) { p.cancel(t, r) }, "57014"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := gated(t)
			r := p.ready(t)
			r.say("BEGIN", "UPDATE ledger SET note = note", "INSERT INTO ledger VALUES (0, '"+name+"')")
			r.write(query("COMMIT"))
			held := p.Reviewers.Next(t)
			answer.by(t, p, r, held)
			expect(t, r.quiet(), "ERROR "+answer.code, "ready I")
			if got := target.QueryString(t, "orders", "SELECT count(*) FROM ledger WHERE note = '"+name+"'"); got != "0" {
				t.Error("it counts:", got)
			}
			expect(t, r.say("SELECT 1"), "columns", "row 1", "SELECT 1", "ready I")
		})
	}
}

// approvedOther is an approval of other bytes.
func approvedOther(h *sessiontest.Held) control.HoldState {
	return control.HoldState{Review: h.Review, Outcome: v1alpha1.OutcomeApproved, Digest: strings.Repeat("0", 64)}
}

// cancel is a CancelRequest for what the session does.
func (p *proxy) cancel(t testing.TB, r *raw) {
	t.Helper()
	conn := p.plain(t)
	data, err := (&pgproto3.CancelRequest{ProcessID: r.key.ProcessID, SecretKey: r.key.SecretKey}).Encode(nil)
	if err == nil {
		_, err = conn.Write(data)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAClientThatLeavesAHeldCommitRollsBack(t *testing.T) {
	t.Parallel()
	p := gated(t)
	r := p.ready(t)
	r.say("BEGIN", "INSERT INTO ledger VALUES (0, 'left')")
	r.write(query("COMMIT"))
	held := p.Reviewers.Next(t)
	if err := r.conn.Close(); err != nil {
		t.Fatal(err)
	}
	held.AwaitWithdrawn(t)
	if got := target.QueryString(t, "orders", "SELECT count(*) FROM ledger WHERE note = 'left'"); got != "0" {
		t.Error(got)
	}
}

func TestEveryWayToCommitIsHeld(t *testing.T) {
	t.Parallel()
	p := gated(t)
	for name, way := range map[string]struct {
		before, commit []pgproto3.FrontendMessage
		want           []string
	}{
		"END":      {nil, []pgproto3.FrontendMessage{query("END")}, []string{"ERROR 42501", "ready I"}},
		"chain":    {nil, []pgproto3.FrontendMessage{query("COMMIT AND CHAIN")}, []string{"ERROR 42501", "ready I"}},
		"extended": {nil, []pgproto3.FrontendMessage{parse("", "COMMIT"), bind("", ""), execute("", 0), syncUp()}, []string{"parsed", "bound", "ERROR 42501", "ready I"}},
		"bound before": {
			[]pgproto3.FrontendMessage{parse("c", "COMMIT"), bind("c", "c"), syncUp()},
			[]pgproto3.FrontendMessage{execute("c", 0), syncUp()}, []string{"ERROR 42501", "ready I"},
		},
		"pipelined": {
			nil, []pgproto3.FrontendMessage{parse("", "INSERT INTO ledger VALUES (1, 'no')"), bind("", ""), execute("", 0),
				parse("", "COMMIT"), bind("", ""), execute("", 0), syncUp()},
			[]string{"parsed", "bound", "INSERT 0 1", "parsed", "bound", "ERROR 42501", "ready I"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.ready(t)
			expect(t, r.say("BEGIN"), "BEGIN", "ready T")
			if way.before != nil {
				r.write(way.before...)
				r.untilReady()
			}
			expect(t, r.say("INSERT INTO ledger VALUES (1, 'no')"), "INSERT 0 1", "ready T")
			r.write(way.commit...)
			p.Reviewers.Next(t).Deny("no")
			expect(t, r.quiet(), way.want...)
			expect(t, r.say("SELECT 1"), "columns", "row 1", "SELECT 1", "ready I")
			_ = r.conn.Close()
		})
	}
	if got := target.QueryString(t, "orders", "SELECT count(*) FROM ledger WHERE note = 'no'"); got != "0" {
		t.Error(got)
	}
}

// What writes is shown wherever it stands in its message, and once.
func TestReviewersOfACommitReadEveryWrite(t *testing.T) {
	t.Parallel()
	const first, second = "UPDATE payments SET amount = 5 WHERE id = 180", "INSERT INTO ledger VALUES (180, 'shown')"
	long := "SELECT '" + strings.Repeat("x", maxRepeated) + "'; "
	p := gated(t)
	for name, c := range map[string]struct{ message, want string }{
		"behind a read":      {"SELECT 1; " + first + "; " + second, "SELECT 1; " + first + "; " + second + ";\nCOMMIT"},
		"behind a long read": {long + first + "; " + second, first + ";\n" + second + ";\nCOMMIT"},
		"first":              {first + "; SELECT 1; " + second, first + "; SELECT 1; " + second + ";\nCOMMIT"},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.ready(t)
			r.say("BEGIN", c.message)
			r.write(query("COMMIT"))
			held := p.Reviewers.Next(t)
			if held.Operation.Text != c.want {
				t.Errorf("%q, not %q", held.Operation.Text, c.want)
			}
			held.Deny("no")
			expect(t, r.quiet(), "ERROR 42501", "ready I")
		})
	}
}

// Going back to a savepoint takes nothing of the gate's back, and reviewers hear of it.
func TestASavepointBeforeTheFirstStatementIsBehindTheGate(t *testing.T) {
	t.Parallel()
	p := gated(t)
	r := p.ready(t)
	r.say("BEGIN", "SAVEPOINT a", "UPDATE payments SET amount = 5 WHERE id = 181", "ROLLBACK TO a")
	if got := r.say("SHOW lock_timeout"); !slices.Contains(got, "row 5s") {
		t.Error(got)
	}
	r.say("UPDATE payments SET amount = 6 WHERE id = 181")
	r.write(query("COMMIT"))
	held := p.Reviewers.Next(t)
	if !strings.Contains(strings.Join(held.Operation.Warnings, "\n"), "savepoints") {
		t.Error(held.Operation.Warnings)
	}
	held.Deny("no")
	expect(t, r.quiet(), "ERROR 42501", "ready I")
}

// What a rule asks of the transaction is told by the statement, not by its comments.
func TestACommentChainsNoTransaction(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: payments(v1alpha1.EffectDeny, func(s *v1alpha1.AccessPolicySpec) {
		s.Rules[0].When = "!session.inTransaction && action.kind == 'update'"
	})})
	const update = "UPDATE payments SET amount = 5 WHERE id = 182"
	r := p.ready(t)
	expect(t, r.say("BEGIN", "COMMIT /* AND CHAIN */; "+update), "BEGIN", "ready T", "ERROR 42501", "ready E")
	expect(t, r.say("ROLLBACK", "BEGIN"), "ROLLBACK", "ready I", "BEGIN", "ready T")
	r.write(parse("", "COMMIT -- AND CHAIN"), bind("", ""), execute("", 0), parse("", update), bind("", ""), execute("", 0), syncUp())
	expect(t, r.quiet(), "parsed", "bound", "COMMIT", "ERROR 42501", "ready I")
	expect(t, r.say("BEGIN", "COMMIT AND/**/CHAIN; "+update, "ROLLBACK"),
		"BEGIN", "ready T", "COMMIT", "UPDATE 1", "ready T", "ROLLBACK", "ready I")
}

// A session that began without the gate cannot hold a COMMIT: it refuses instead.
func TestARuleThatComesLaterIsNotPassedBy(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{policy: payments(v1alpha1.EffectDeny, func(s *v1alpha1.AccessPolicySpec) { s.Rules[0].When = "false" })})
	r := p.ready(t)
	const insert = "INSERT INTO ledger VALUES (183, 'later')"
	expect(t, r.say("BEGIN", insert, "ROLLBACK"), "BEGIN", "ready T", "INSERT 0 1", "ready T", "ROLLBACK", "ready I")
	state := p.granted
	changed := *state.Grant
	changed.Policy.Rules = slices.Clone(changed.Policy.Rules)
	changed.Policy.Rules[0].Effect, changed.Policy.Rules[0].When = v1alpha1.EffectHoldCommit, "action.kind == 'insert'"
	state.Grant = &changed
	p.Update(state)
	expect(t, r.say("BEGIN", insert, "COMMIT"), "BEGIN", "ready T", "ERROR 25P01", "ready E", "ROLLBACK", "ready I")
}

// Neither of two relations that read alike hides what was done to the other.
func TestRelationsThatReadAlikeAreCountedTogether(t *testing.T) {
	t.Parallel()
	p := gated(t, unrestrictedPolicy)
	target.Exec(t, "orders", `CREATE SCHEMA alike; CREATE SCHEMA "alike.a"; CREATE TABLE alike."a.b" (i int); CREATE TABLE "alike.a".b (i int);
		GRANT USAGE ON SCHEMA alike, "alike.a" TO by_scram; GRANT ALL ON alike."a.b", "alike.a".b TO by_scram`)
	r := p.ready(t)
	r.say("BEGIN", `INSERT INTO alike."a.b" SELECT generate_series(1, 50)`, `INSERT INTO "alike.a".b VALUES (1)`)
	r.write(query("COMMIT"))
	held := p.Reviewers.Next(t)
	if got := effects(held); got["alike.a.b"] != [3]int64{51, 0, 0} {
		t.Error(got)
	}
	held.Deny("no")
	expect(t, r.quiet(), "ERROR 42501", "ready I")
}

// A chained transaction is another one: it has a baseline of its own.
func TestAChainedTransactionIsHeldByItself(t *testing.T) {
	t.Parallel()
	p := gated(t)
	r := p.ready(t)
	r.say("BEGIN", "UPDATE payments SET amount = 20 WHERE id = 110")
	r.write(query("COMMIT AND CHAIN"))
	p.Reviewers.Next(t).Approve()
	expect(t, r.quiet(), "COMMIT", "ready T")
	expect(t, r.say("UPDATE payments SET amount = 21 WHERE id IN (111, 112)"), "UPDATE 2", "ready T")
	r.write(query("COMMIT"))
	held := p.Reviewers.Next(t)
	if got := effects(held); got["public.payments"] != [3]int64{0, 2, 0} {
		t.Error(got)
	}
	held.Approve()
	expect(t, r.quiet(), "COMMIT", "ready I")
	// The next one reads, and is held by nobody.
	expect(t, r.say("BEGIN", "SELECT 1", "COMMIT"), "BEGIN", "ready T", "columns", "row 1", "SELECT 1", "ready T", "COMMIT", "ready I")
	p.Reviewers.None(t)
}

// A client may send all at once: the gate waits for the target where it must.
func TestATransactionSentAtOnceIsHeld(t *testing.T) {
	t.Parallel()
	p := gated(t)
	r := p.ready(t)
	const update = "UPDATE payments SET amount = 80 WHERE id = 180"
	r.write(query("BEGIN"), query(update), query("COMMIT"), query("BEGIN"), query(update), query("ROLLBACK"), query("SELECT 1"))
	held := p.Reviewers.Next(t)
	if got := effects(held); got["public.payments"] != [3]int64{0, 1, 0} {
		t.Error(got)
	}
	held.Deny("no")
	var got []string
	for range 7 {
		got = append(got, r.quiet()...)
	}
	expect(t, got, "BEGIN", "ready T", "UPDATE 1", "ready T", "ERROR 42501", "ready I",
		"BEGIN", "ready T", "UPDATE 1", "ready T", "ROLLBACK", "ready I", "columns", "row 1", "SELECT 1", "ready I")
	p.Reviewers.None(t)
}

func TestAFailedTransactionNeedsNoReview(t *testing.T) {
	t.Parallel()
	p := gated(t)
	r := p.ready(t)
	expect(t, r.say("BEGIN", "INSERT INTO ledger VALUES (2, 'failed')", "SELECT 1 / 0", "COMMIT"),
		"BEGIN", "ready T", "INSERT 0 1", "ready T", "ERROR 22012", "ready E", "ROLLBACK", "ready I")
	p.Reviewers.None(t)
}

// An error behind a savepoint leaves a transaction that can commit: it stays held.
func TestASavepointDoesNotLoseTheGate(t *testing.T) {
	t.Parallel()
	p := gated(t)
	r := p.ready(t)
	r.say("BEGIN", "SAVEPOINT a", "UPDATE payments SET amount = 30 WHERE id = 120", "SAVEPOINT b", "SELECT 1 / 0")
	// A COMMIT that is skipped in a segment that has failed ends nothing.
	r.write(parse("", "SELECT 1"), bind("", ""), execute("", 0), parse("", "COMMIT"), bind("", ""), execute("", 0), syncUp())
	expect(t, r.quiet(), "ERROR 25P02", "ready E")
	expect(t, r.say("ROLLBACK TO b"), "ROLLBACK", "ready T")
	r.write(query("COMMIT"))
	held := p.Reviewers.Next(t)
	if got := effects(held); got["public.payments"] != [3]int64{0, 1, 0} {
		t.Error(got)
	}
	if !strings.Contains(strings.Join(held.Operation.Warnings, "\n"), "savepoints") {
		t.Error(held.Operation.Warnings)
	}
	held.Deny("no")
	expect(t, r.quiet(), "ERROR 42501", "ready I")
	if got := amount(t, "120"); got != "10" {
		t.Error(got)
	}
}

func TestWhatCannotBeGatedIsRefused(t *testing.T) {
	t.Parallel()
	p := gated(t)
	const update = "UPDATE payments SET amount = 40 WHERE id = 130"
	for name, messages := range map[string][]pgproto3.FrontendMessage{
		"alone":          {query(update)},
		"in one message": {query("BEGIN; " + update + "; COMMIT")},
		"in one segment": {parse("", "BEGIN"), bind("", ""), execute("", 0), parse("", update), bind("", ""), execute("", 0),
			parse("", "COMMIT"), bind("", ""), execute("", 0), syncUp()},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.ready(t)
			r.write(messages...)
			got := r.quiet()
			if !slices.Contains(got, "ERROR 25P01") && !slices.Contains(got, "ERROR 42501") {
				t.Error(got)
			}
			_ = r.conn.Close()
		})
	}
	r := p.ready(t)
	expect(t, r.say("BEGIN", update, "SELECT 1; COMMIT"), "BEGIN", "ready T", "UPDATE 1", "ready T", "ERROR 25P01", "ready E")
	expect(t, r.say("COMMIT"), "ROLLBACK", "ready I")
	expect(t, r.say("BEGIN", update, "SET LOCAL statement_timeout = 0"), "BEGIN", "ready T", "UPDATE 1", "ready T", "ERROR 42501", "ready E")
	expect(t, r.say("ROLLBACK"), "ROLLBACK", "ready I")
	p.Reviewers.None(t)
	if got := amount(t, "130"); got != "10" {
		t.Error(got)
	}
}

func TestATransactionMayBeSetUpBeforeItsFirstStatement(t *testing.T) {
	t.Parallel()
	p := gated(t)
	r := p.ready(t)
	expect(t, r.say("BEGIN", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "UPDATE payments SET amount = 50 WHERE id = 140"),
		"BEGIN", "ready T", "SET", "ready T", "UPDATE 1", "ready T")
	got := r.say("SHOW transaction_isolation", "SHOW idle_in_transaction_session_timeout", "SHOW lock_timeout")
	for _, want := range []string{"row serializable", "row 90s", "row 5s"} {
		if !slices.Contains(got, want) {
			t.Errorf("no %q in %v", want, got)
		}
	}
	expect(t, r.say("ROLLBACK"), "ROLLBACK", "ready I")
}

func TestReviewersOfACommitSeeRowsMasked(t *testing.T) {
	t.Parallel()
	p := gated(t, func(s *v1alpha1.AccessPolicySpec) {
		s.Hold.RowImages = 5
		s.Masking = &v1alpha1.MaskingPolicy{Detectors: []v1alpha1.DetectorMask{{Name: "card", Detect: v1alpha1.DetectPaymentCard}}}
	})
	r := p.ready(t)
	expect(t, r.say("BEGIN", "UPDATE payments SET amount = amount + 1 WHERE id IN (150, 151)", "DELETE FROM payments WHERE id = 152"),
		"BEGIN", "ready T", "UPDATE 2", "ready T", "DELETE 1", "ready T")
	r.write(query("COMMIT"))
	held := p.Reviewers.Next(t)
	if len(held.Operation.Effects) != 1 || len(held.Operation.Effects[0].Images) != 3 {
		t.Fatalf("%+v", held.Operation.Effects)
	}
	deleted := 0
	for _, image := range held.Operation.Effects[0].Images {
		if strings.Contains(image.Before+image.After, "4111 1111") {
			t.Errorf("a card is shown: %+v", image)
		}
		var before, after map[string]string
		if err := json.Unmarshal([]byte(image.Before), &before); err != nil {
			t.Fatal(err)
		}
		if image.After == "" {
			deleted++
			continue
		}
		if err := json.Unmarshal([]byte(image.After), &after); err != nil {
			t.Fatal(err)
		}
		if before["id"] != after["id"] || before["amount"] != "10" || after["amount"] != "11" {
			t.Errorf("%v, %v", before, after)
		}
	}
	if deleted != 1 {
		t.Error(deleted)
	}
	held.Approve()
	expect(t, r.quiet(), "COMMIT", "ready I")
}

func TestPgxCommitsThroughTheGate(t *testing.T) {
	t.Parallel()
	p := gated(t)
	conn := p.connect(t)
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "UPDATE payments SET amount = $1 WHERE id = $2", 60, 160); err != nil {
		t.Fatal(err)
	}
	go func() { p.Reviewers.Next(t).Approve() }()
	if err := tx.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := amount(t, "160"); got != "60" {
		t.Error(got)
	}
}

// A masked column is not even read; nor is it through a partition of its table.
func TestReviewersOfACommitSeeNoMaskedColumn(t *testing.T) {
	t.Parallel()
	p := gated(t, func(s *v1alpha1.AccessPolicySpec) {
		s.Hold.RowImages = 5
		s.Masking = &v1alpha1.MaskingPolicy{Columns: []v1alpha1.ColumnMask{{Schema: "public", Relation: "payments", Column: "card"}}}
	})
	r := p.ready(t)
	expect(t, r.say("BEGIN", "UPDATE payments SET amount = 70 WHERE id = 170"), "BEGIN", "ready T", "UPDATE 1", "ready T")
	r.write(query("COMMIT"))
	held := p.Reviewers.Next(t)
	if len(held.Operation.Effects) != 1 || len(held.Operation.Effects[0].Images) != 1 {
		t.Fatalf("%+v", held.Operation.Effects)
	}
	for _, row := range []string{held.Operation.Effects[0].Images[0].Before, held.Operation.Effects[0].Images[0].After} {
		if !strings.Contains(row, `"card":"[masked]"`) || strings.Contains(row, "4111") {
			t.Error(row)
		}
	}
	held.Deny("no")
	expect(t, r.quiet(), "ERROR 42501", "ready I")
}
