package canary

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// TestPG9_AnswersDoNotDependOnMaskedValues runs the same statements on two databases
// that differ in nothing but what masked columns hold, row for row in its length, too. With masks
// that say nothing, and without inference, clients see the same. Statements that fail
// on either are left out: whether one fails is not hidden.
func TestPG9_AnswersDoNotDependOnMaskedValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	r := terms{how: []v1alpha1.MaskHow{v1alpha1.MaskRedact, v1alpha1.MaskNull, v1alpha1.MaskConstant}, inference: v1alpha1.InferenceRefused}
	var clients []*client
	var leaks leaks
	for i, name := range []string{"one", "two"} {
		db := w.database(t, name, uint64(i), 2*i)
		c := db.open(t, r, &watched{matcher: db.matcher, found: leaks.found}).dial(t, leaks.atClient)
		c.keep = true
		clients = append(clients, c)
	}
	g := &grammar{Rand: rand.New(rand.NewPCG(fromEnv(t, "SALLYPORT_FUZZ_SEED", firstSeed), 1)), clear: true}
	same, different := 0, 0
	for range 500 {
		s := g.script()
		text := strings.Join(s.steps, "; ")
		// Plans say what is estimated, OIDs are each database's own, and so are versions.
		if strings.Contains(text, "EXPLAIN") || strings.Contains(text, "tableoid") || strings.Contains(text, "pg_") || strings.Contains(text, "SHOW") {
			continue
		}
		leaks.after(text)
		var answers []answer
		for _, c := range clients {
			a := c.query("BEGIN; " + text)
			if end := c.query("ROLLBACK"); a.fatal+end.fatal != "" {
				t.Fatalf("%s\n\tended the session: %s", text, a.fatal+end.fatal)
			}
			answers = append(answers, a)
		}
		one, two := answers[0], answers[1]
		switch {
		case len(one.errors)+len(two.errors) > 0:
		case slices.Equal(one.said, two.said) && string(one.copies) == string(two.copies):
			same++
		default:
			different++
			t.Errorf("%s\n\tanswers\n\t%.400q %.200q\n\tor\n\t%.400q %.200q", text, one.said, one.copies, two.said, two.copies)
		}
		if different > 5 {
			break
		}
	}
	leaks.report(t)
	t.Logf("%d scripts gave the same answer", same)
	if same < 150 {
		t.Errorf("only %d scripts ran to their end on both", same)
	}
}
