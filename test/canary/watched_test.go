package canary

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
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

// Create begins a recording that is searched as it is written.
func (w *watched) Create(context.Context, string) (io.WriteCloser, error) {
	return &recording{watched: w, blocks: map[int64]*stream{}}, nil
}

// Open finds nothing: nothing is kept.
func (w *watched) Open(context.Context, string) (io.ReadCloser, error) { return nil, fs.ErrNotExist }

// List is empty.
func (w *watched) List(context.Context) ([]store.Recording, error) { return nil, nil }

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
	line   []byte
	blocks map[int64]*stream
}

func (r *recording) Write(data []byte) (int, error) {
	r.line = append(r.line, data...)
	for {
		end := bytes.IndexByte(r.line, '\n')
		if end < 0 {
			return len(data), nil
		}
		if err := r.entry(r.line[:end]); err != nil {
			r.mu.Lock()
			r.failed = err
			r.mu.Unlock()
		}
		r.line = append(r.line[:0], r.line[end+1:]...)
	}
}

// entry searches one line. Rows are searched as they are, not as compressed: in so
// much that is as good as random, anything is found one day.
func (r *recording) entry(line []byte) error {
	var event record.Event
	if err := json.Unmarshal(line, &event); err != nil {
		return fmt.Errorf("a line of the recording: %w", err)
	}
	if event.Output == nil {
		r.matcher.search(line, r.leak("recording"))
		return r.event(event)
	}
	bare := *event.Output
	bare.Data = nil
	head, err := json.Marshal(bare)
	if err != nil {
		return err
	}
	r.matcher.search(head, r.leak("recording"))
	return r.event(event)
}

// Close ends the recording.
func (r *recording) Close() error { return nil }

func (r *recording) event(e record.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
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

// output searches the rows of an operation, decompressed.
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
