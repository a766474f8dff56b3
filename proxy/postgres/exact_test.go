package postgres

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgproto3"
	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/internal/record"
)

// executed is a line of the target's log that says what it ran.
var executed = regexp.MustCompile(`(?:statement|execute [^:]*): (SELECT '[^']*')`)

// rounds of all tests: the target's log is one.
var rounds atomic.Int64

// TestPG8_WhatRunsIsWhatWasAdmitted plays pipelines over two names, with failures
// that make the target skip what a client hoped for, and compares what the target
// ran with what was recorded as run, in order.
func TestPG8_WhatRunsIsWhatWasAdmitted(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	rapid.Check(t, func(rt *rapid.T) {
		mark := fmt.Sprintf("exact%d", rounds.Add(1))
		r := p.ready(t)
		defer r.conn.Close()
		name := rapid.SampledFrom([]string{"", "a", "b"})
		texts, syncs := 0, 0
		var messages []pgproto3.FrontendMessage
		for range rapid.IntRange(5, 40).Draw(rt, "messages") {
			switch rapid.IntRange(0, 11).Draw(rt, "kind") {
			case 0, 1, 2:
				texts++
				messages = append(messages, parse(name.Draw(rt, "statement"), fmt.Sprintf("SELECT '%s.%d'", mark, texts)))
			case 3, 4:
				messages = append(messages, bind(name.Draw(rt, "portal"), name.Draw(rt, "statement")))
			case 5, 6:
				messages = append(messages, execute(name.Draw(rt, "portal"), 0))
			case 7:
				messages = append(messages, &pgproto3.Close{ObjectType: rapid.SampledFrom([]byte{'S', 'P'}).Draw(rt, "object"), Name: name.Draw(rt, "name")})
			case 8:
				// The target refuses this one, and skips what follows.
				messages = append(messages, parse("c", "SELECT no_such_column FROM orders"))
			case 9:
				messages = append(messages, parse("c", "SELECT * FROM salaries"))
			case 10:
				messages = append(messages, query(rapid.SampledFrom([]string{"BEGIN", "COMMIT", "ROLLBACK", "SELECT '" + mark + ".simple'", "SELECT no_such_column FROM orders"}).Draw(rt, "query")))
			case 11:
				syncs++
				messages = append(messages, syncUp())
			}
		}
		last := "SELECT '" + mark + ".last'"
		messages = append(messages, syncUp(), query("ROLLBACK"), query(last))
		r.write(messages...)
		for r.next() != "row "+mark+".last" {
		}
		r.untilReady()
		// A result is written with the next operation.
		r.write(query("SELECT 'written'"))
		r.untilReady()

		var ran []string
		for _, match := range executed.FindAllStringSubmatch(target.Log(), -1) {
			if strings.Contains(match[1], "'"+mark+".") {
				ran = append(ran, match[1])
			}
		}
		recorded := p.ran(t, mark)
		// An Execute of a portal that has ended is logged, and returns nothing.
		if diff := cmp.Diff(slices.Compact(ran), slices.Compact(recorded)); diff != "" {
			rt.Fatalf("the target ran (-), recorded as run (+):\n%s", diff)
		}
	})
}

func TestPG8_NoStatementIsPreparedBehindTheProtocolsBack(t *testing.T) {
	t.Parallel()
	p := newProxy(t, change{options: func(o *Options) {
		o.Judge = classified(func(string) []policy.Action {
			return []policy.Action{{Protocol: "postgres", Kind: "prepare", Statements: 1}}
		})
	}})
	r := p.ready(t)
	r.write(query("PREPARE a AS SELECT 1"))
	expect(t, r.untilReady(), "ERROR 42501", "ready I")
}

// ran is the texts of the operations that the target has logged as it ran them, in
// order, by their results.
func (p *proxy) ran(t testing.TB, mark string) []string {
	t.Helper()
	texts := map[int64]string{}
	var list []string
	for _, event := range p.events(t) {
		switch event.Type {
		case record.EventOperation:
			texts[event.Operation.ID] = string(event.Operation.Text)
		case record.EventResult:
			text := texts[event.Result.Operation]
			// The target logs a simple query before it finds its transaction failed.
			logged := strings.HasPrefix(event.Result.Tag, "SELECT") || event.Result.Error == "25P02" && strings.HasSuffix(text, ".simple'")
			if logged && strings.Contains(text, "'"+mark+".") {
				list = append(list, text)
			}
		}
		if event.Type == record.EventEnd {
			clear(texts)
		}
	}
	return list
}
