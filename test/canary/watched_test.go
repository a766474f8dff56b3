package canary

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/session"
)

// watched is the recordings and the reviewers of a task: both are searched for
// canaries, and nothing is kept but numbers.
type watched struct {
	matcher *matcher
	// found is called with where, the form, and what is around it.
	found func(where, form string, around []byte)

	mu      sync.Mutex
	allowed int64
	refused int64
	reviews int64
	images  int64
	rules   map[string]int64
	// masked values, and rows and COPY messages that were recorded.
	masked, rows int64
	failed       error
}

func (w *watched) leak(where string) func(string, []byte) {
	return func(form string, around []byte) { w.found(where, form, around) }
}

// Begin begins a recording that is searched as it is written.
func (w *watched) Begin(start record.Start) (session.Recording, error) {
	r := &recording{watched: w, head: record.Head{Session: start.Session}, blocks: map[int64]*stream{}}
	return r, r.Append(record.Event{Type: record.EventStart, Start: &start})
}

// Failures implements session.Recorder: there are none.
func (w *watched) Failures() <-chan error { return nil }

func (w *watched) hold(_ context.Context, held v1alpha1.HeldOperation, changed func(control.HoldState)) (control.HoldState, error) {
	encoded, err := control.EncodeHeld(held)
	if err != nil {
		return control.HoldState{}, err
	}
	w.matcher.search(encoded, w.leak("review"))
	w.mu.Lock()
	w.reviews++
	for _, effect := range held.Effects {
		w.images += int64(len(effect.Images))
	}
	w.mu.Unlock()
	state := control.HoldState{Review: "review", Digest: held.Digest, Outcome: v1alpha1.OutcomeApproved, Message: "yes"}
	changed(control.HoldState{Review: state.Review, Digest: held.Digest})
	return state, nil
}

// recording of one session.
type recording struct {
	*watched
	head   record.Head
	blocks map[int64]*stream
}

func (r *recording) Append(events ...record.Event) error {
	for _, event := range events {
		if err := r.entry(event); err != nil {
			r.mu.Lock()
			r.failed = err
			r.mu.Unlock()
		}
	}
	return nil
}

func (r *recording) AppendOperation(operation *record.Operation, verdict *record.Verdict) error {
	return r.Append(record.Event{Type: record.EventOperation, Operation: operation, Verdict: verdict})
}

func (r *recording) AppendResult(result *record.Result) error {
	return r.Append(record.Event{Type: record.EventResult, Result: result})
}

// entry searches one event; rows are searched with those of their operation.
func (r *recording) entry(event record.Event) error {
	line, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("an event of the recording: %w", err)
	}
	r.matcher.search(line, r.leak("recording"))
	return r.event(event)
}

func (r *recording) Settle(context.Context) error { return nil }

func (r *recording) Head() record.Head {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.head
}

func (r *recording) Sealed() (record.Signature, bool) { return record.Signature{}, false }

// Close ends the recording.
func (r *recording) Close() error { return nil }

func (r *recording) event(e record.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.head.Sequence++
	switch {
	case e.Verdict != nil && e.Verdict.Effect == string(v1alpha1.EffectDeny):
		r.refused++
		if r.rules == nil {
			r.rules = map[string]int64{}
		}
		r.rules[e.Verdict.Rule]++
	case e.Verdict != nil:
		r.allowed++
	case e.Result != nil:
		delete(r.blocks, e.Result.Operation)
		for _, n := range e.Result.Masked {
			r.masked += n
		}
	case e.Output != nil:
		return r.output(e.Output)
	}
	return nil
}

// output searches the rows of an operation.
func (r *recording) output(o *record.Output) error {
	if r.blocks[o.Operation] == nil {
		r.blocks[o.Operation] = &stream{matcher: r.matcher, found: r.leak("recorded rows")}
	}
	block, err := o.Messages()
	if err != nil {
		return fmt.Errorf("recorded rows: %w", err)
	}
	r.rows += o.Rows
	_, err = r.blocks[o.Operation].Write(block)
	return err
}
