package conformance

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

func recordBeforeForward(t *testing.T, b *bench) {
	b.grant()
	client := b.connect(t)
	text := b.Operations().Allowed
	var early sync.Once
	b.task.Recordings.OnWrite(func(data []byte) {
		for _, part := range []string{"operation", "verdict"} {
			if bytes.Contains(data, []byte(`"`+part+`":{`)) && b.Reached(text) {
				early.Do(func() { t.Errorf("%s reached the target before its %s was written", text, part) })
			}
		}
	})
	b.mustDo(t, client, text)
	events, err := b.task.Recordings.Events("")
	if err != nil {
		t.Fatal(err)
	}
	operation, verdict := int64(-1), ""
	for _, event := range events {
		if event.Operation != nil && strings.Contains(string(event.Operation.Text), text) {
			operation = event.Operation.ID
		}
		if event.Verdict != nil && event.Verdict.Operation == operation {
			verdict = event.Verdict.Effect
		}
	}
	if verdict != string(v1alpha1.EffectAllow) {
		t.Errorf("the recording holds operation %d with verdict %q", operation, verdict)
	}
}

func recorderFailureEnds(t *testing.T, b *bench) {
	b.grant()
	client, second := b.connect(t), b.connect(t)
	b.mustDo(t, client, b.Operations().Allowed)
	b.task.Recordings.Fail()
	b.mustRefuse(t, client, b.Operations().AllowedToo)
	for _, c := range []Client{client, second} {
		if err := c.Closed(); err != nil {
			t.Error(err)
		}
	}
}

// settleBeforeForward: what is recorded, but has not survived what the policy's
// durability names, stays away from the target.
func settleBeforeForward(t *testing.T, b *bench) {
	b.grant()
	client := b.connect(t)
	text := b.Operations().Allowed
	var waited, early atomic.Bool
	b.task.Recordings.OnSettle(func(context.Context) error {
		// What is written to the target once it runs waits, too.
		if b.recorded(t, text) && waited.CompareAndSwap(false, true) {
			early.Store(b.Reached(text))
		}
		return nil
	})
	if err := client.Do(text); err != nil {
		t.Fatal(err)
	}
	if !waited.Load() || early.Load() {
		t.Errorf("%s was waited for: %t; it reached the target before that: %t", text, waited.Load(), early.Load())
	}
}

// recorded says whether an operation of this text is in the recordings.
func (b *bench) recorded(t *testing.T, text string) bool {
	events, err := b.task.Recordings.Events("")
	if err != nil {
		t.Error(err)
	}
	return slices.ContainsFunc(events, func(event record.Event) bool {
		return event.Operation != nil && strings.Contains(string(event.Operation.Text), text)
	})
}

func settleFailureEnds(t *testing.T, b *bench) {
	b.grant()
	client := b.connect(t)
	b.mustDo(t, client, b.Operations().Allowed)
	b.task.Recordings.OnSettle(func(context.Context) error { return sessiontest.ErrFull })
	b.mustRefuse(t, client, b.Operations().AllowedToo)
	if err := client.Closed(); err != nil {
		t.Error(err)
	}
}

func storeFailureEnds(t *testing.T, b *bench) {
	b.grant()
	client, second := b.connect(t), b.connect(t)
	b.mustDo(t, client, b.Operations().Allowed)
	b.task.Recordings.FailBehind()
	for _, c := range []Client{client, second} {
		if err := c.Closed(); err != nil {
			t.Error(err)
		}
	}
}

func bestEffortGoesOn(t *testing.T, b *bench) {
	policy := b.Policy()
	state := sessiontest.Granted(policy, nil)(b.task.Key)
	state.Recording.BestEffort = true
	b.task.Update(state)
	client := b.connect(t)
	b.task.Recordings.Fail()
	b.mustDo(t, client, b.Operations().Allowed)
	b.mustRefuse(t, client, b.Operations().Refused, "orders-read", "grant")
	reports := make(chan session.Report, 1)
	b.onReport(func(r session.Report) {
		if r.Lost != "" {
			select {
			case reports <- r:
			default:
			}
		}
	})
	b.task.Report()
	select {
	case <-reports:
	case <-time.After(patience):
		t.Error("nobody is told that the recording is not whole")
	}
}
