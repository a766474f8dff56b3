package canary

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/pgtest"
)

const (
	// fewValues are those of a plain go test; hack/fuzz-mask.sh asks for more.
	fewValues = 200_000
	firstSeed = 20261123
	// scriptsPerRound are how many run under one policy.
	scriptsPerRound = 100
	// leastRounds see every way to mask.
	leastRounds = 6
	// mostRefused is the share of statements that a policy which allows inference may
	// refuse, in percent: masks that refuse all would leak nothing.
	mostRefused = 60
)

var hows = [][]v1alpha1.MaskHow{
	{v1alpha1.MaskRedact}, {v1alpha1.MaskPartial}, {v1alpha1.MaskHash}, {v1alpha1.MaskNull}, {v1alpha1.MaskConstant},
	{v1alpha1.MaskRedact, v1alpha1.MaskPartial, v1alpha1.MaskHash, v1alpha1.MaskNull, v1alpha1.MaskConstant},
}

// tally is how a run fares.
type tally struct {
	scripts, statements, errors, ended int64
	cells, copied                      int64
	// masked values, and what was recorded; verdicts of rounds that allow inference.
	masked, rows, reviews, images int64
	allowed, refused              int64
	rules                         map[string]int64
	sqlstates                     map[string]int
}

func (y *tally) String() string {
	return fmt.Sprintf("%d values masked (%d came, %d COPY messages, %d rows recorded, %d reviews with %d row images), %d scripts of %d statements, %d errors; inference allowed: %d of %d refused (%d%%); refused by %v",
		y.masked, y.cells, y.copied, y.rows, y.reviews, y.images, y.scripts, y.statements, y.errors, y.refused, y.allowed+y.refused, y.share(), y.rules)
}

func (y *tally) share() int64 { return 100 * y.refused / max(y.allowed+y.refused, 1) }

// fuzz runs scripts under many policies until enough values were masked.
type fuzz struct {
	leaks
	t     *testing.T
	db    *database
	seed  uint64
	tally tally
}

// reviewed is a transaction that reviewers see the rows of.
var reviewed = script{commit: true, simple: true, steps: []string{
	"UPDATE person SET name = name || '.' WHERE id < 6 RETURNING *", "DELETE FROM refund WHERE id < 4 RETURNING *", "INSERT INTO payment VALUES ('known', 9)",
	"INSERT INTO person (id, name, email) VALUES (990, 'new', 'mine')",
}}

// terms of a round: every way to mask in turn.
func (f *fuzz) terms(n int) terms {
	chance := rand.New(rand.NewPCG(f.seed, uint64(n)<<32))
	r := terms{how: hows[n%len(hows)], gated: n%3 == 1, unrestricted: chance.IntN(2) == 0, inference: v1alpha1.InferenceAllowed}
	if chance.IntN(3) == 0 {
		r.inference = v1alpha1.InferenceRefused
	}
	return r
}

// play runs one round.
func (f *fuzz) play(n int, r terms) {
	f.under(r.String())
	if r.gated {
		defer f.db.fill(f.t)
	}
	watch := &watched{matcher: f.db.matcher, found: f.found}
	door := f.db.open(f.t, r, watch)
	g := &grammar{Rand: rand.New(rand.NewPCG(f.seed, uint64(n))), clear: r.inference == v1alpha1.InferenceRefused}
	c := door.dial(f.t, f.atClient)
	for i := range scriptsPerRound {
		s := g.script()
		if r.gated && i == 0 {
			s = reviewed
		}
		f.tally.scripts++
		if a := f.run(c, g, s, r); a.fatal != "" {
			f.tally.ended++
			// A row larger than any message may be ends a session, as the docs say.
			if !strings.HasPrefix(a.fatal, "54000") {
				f.t.Errorf("the session ended with %q after %s", a.fatal, f.now())
			}
			c.close()
			c = door.dial(f.t, f.atClient)
		}
		if f.many() {
			break
		}
	}
	c.close()
	door.close()
	f.count(watch, r)
}

func (f *fuzz) count(w *watched, r terms) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		f.t.Error(w.failed)
	}
	y := &f.tally
	y.masked, y.rows, y.reviews, y.images = y.masked+w.masked, y.rows+w.rows, y.reviews+w.reviews, y.images+w.images
	if r.inference == v1alpha1.InferenceAllowed {
		y.allowed, y.refused = y.allowed+w.allowed, y.refused+w.refused
		for rule, n := range w.rules {
			y.rules[rule] += n
		}
	}
}

// run sends a script in one of the protocol's ways.
func (f *fuzz) run(c *client, g *grammar, s script, r terms) answer {
	f.after(strings.Join(s.steps, "; "))
	f.tally.statements += int64(len(s.steps))
	var total answer
	note := func(a answer) bool {
		f.tally.cells, f.tally.copied, f.tally.errors = f.tally.cells+int64(a.cells), f.tally.copied+int64(a.copied), f.tally.errors+int64(len(a.errors))
		for _, e := range a.errors {
			f.tally.sqlstates[e[:5]]++
			if os.Getenv("SALLYPORT_FUZZ_VERBOSE") != "" {
				f.t.Logf("%s\n\t%s", e, f.now())
			}
		}
		total.fatal = a.fatal
		return a.fatal == ""
	}
	if s.reads {
		note(f.step(c, g, s.steps[0], s.simple))
		return total
	}
	if g.one(8) {
		// One message of several statements.
		if note(c.query("BEGIN; " + strings.Join(s.steps, "; "))) {
			note(c.query("ROLLBACK"))
		}
		return total
	}
	if !note(c.query("BEGIN")) {
		return total
	}
	for _, step := range s.steps {
		if !note(f.step(c, g, step, s.simple)) {
			return total
		}
	}
	end := "ROLLBACK"
	if s.commit && r.gated {
		end = "COMMIT"
	}
	note(c.query(end))
	return total
}

// step sends one statement.
func (f *fuzz) step(c *client, g *grammar, text string, simple bool) answer {
	if simple || g.one(2) {
		return c.query(text)
	}
	formats := pick(g, [][]int16{nil, {0}, {1}, {1}})
	name, portal := pick(g, []string{"", "", "s1"}), pick(g, []string{"", "", "q1"})
	if name != "" {
		c.Send(&pgproto3.Close{ObjectType: 'S', Name: name})
	}
	if portal != "" {
		c.Send(&pgproto3.Close{ObjectType: 'P', Name: portal})
	}
	c.Send(&pgproto3.Parse{Name: name, Query: text})
	if g.one(3) {
		c.Send(&pgproto3.Describe{ObjectType: 'S', Name: name})
	}
	readies := 1
	if name != "" && g.one(2) {
		c.Send(&pgproto3.Sync{})
		readies++
	}
	for range 1 + g.IntN(2) {
		c.Send(&pgproto3.Bind{DestinationPortal: portal, PreparedStatement: name, ResultFormatCodes: formats})
		if g.one(2) {
			c.Send(&pgproto3.Describe{ObjectType: 'P', Name: portal})
		}
		for range 1 + g.IntN(3) {
			c.Send(&pgproto3.Execute{Portal: portal, MaxRows: pick(g, []uint32{0, 0, 3, 10})})
		}
		if g.one(3) {
			// Run as SQL: by the portal's name.
			if portal != "" {
				c.Send(&pgproto3.Parse{Query: "FETCH 5 FROM " + portal})
				c.Send(&pgproto3.Bind{})
				c.Send(&pgproto3.Execute{})
			}
		}
		if portal != "" {
			break
		}
	}
	c.Send(&pgproto3.Sync{})
	return c.exchange(readies)
}

func fromEnv(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(value, 10, 62)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestPG9_ACanaryNeverArrives runs statements until so many values were masked; the
// environment's SALLYPORT_FUZZ_VALUES says another number, SALLYPORT_FUZZ_SEED another
// seed.
func TestPG9_ACanaryNeverArrives(t *testing.T) {
	for _, version := range pgtest.Versions() {
		t.Run(fmt.Sprintf("PostgreSQL %d", version), func(t *testing.T) {
			t.Parallel()
			values := int64(fromEnv(t, "SALLYPORT_FUZZ_VALUES", fewValues)) / int64(len(pgtest.Versions()))
			f := &fuzz{t: t, seed: fromEnv(t, "SALLYPORT_FUZZ_SEED", firstSeed), tally: tally{rules: map[string]int64{}, sqlstates: map[string]int{}}}
			t.Logf("seed %d", f.seed)
			f.db = newWorld(t, version).database(t, "canaries", f.seed, 0)
			last := time.Now()
			for n := 0; (n < leastRounds || f.tally.masked < values) && !t.Failed(); n++ {
				f.play(n, f.terms(n))
				if f.many() {
					break
				}
				if time.Since(last) > 10*time.Second {
					last = time.Now()
					t.Logf("%d%%, %d leaks: %s", 100*f.tally.masked/values, f.number(), &f.tally)
				}
			}
			t.Logf("%s", &f.tally)
			f.report(t)
			if f.tally.share() >= mostRefused {
				t.Errorf("%d%% of the statements were refused, where at most %d%% may be", f.tally.share(), mostRefused)
			}
			if f.tally.images == 0 || f.tally.copied == 0 {
				t.Error("no row image, or no COPY, was tried")
			}
		})
	}
}

// TestTheControlSeesCanaries runs the same statements without masks: what is found
// nowhere might as well not be looked for.
func TestTheControlSeesCanaries(t *testing.T) {
	t.Parallel()
	db := newWorld(t, 0).database(t, "canaries", firstSeed, 0)
	var seen leaks
	var recorded atomic.Bool
	watch := &watched{matcher: db.matcher, found: func(string, string, []byte) { recorded.Store(true) }}
	c := db.open(t, terms{unmasked: true}, watch).dial(t, seen.atClient)
	g := &grammar{Rand: rand.New(rand.NewPCG(firstSeed, 0))}
	ran := 0
	for ran < 150 {
		s := g.script()
		if !s.reads {
			continue
		}
		seen.after(s.steps[0])
		a := c.query(s.steps[0])
		if a.fatal != "" {
			t.Fatal(a.fatal)
		}
		if a.rows+a.copied > 0 {
			ran++
		}
	}
	t.Logf("canaries came out of %d of %d statements", len(seen.list), ran)
	if len(seen.list)*3 < ran || !recorded.Load() {
		t.Errorf("only %d of %d statements showed a canary", len(seen.list), ran)
	}
}
