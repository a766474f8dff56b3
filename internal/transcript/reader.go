package transcript

import (
	"errors"
	"io"
	"maps"
	"time"

	"github.com/sallyport/sallyport/internal/record"
)

// Events is a recording, event by event. io.EOF follows the end of a complete one; any
// other error is one that does not go away.
type Events interface {
	Next() (record.Event, error)
}

// Reader reads the steps of one session. It holds the newest operations, and never
// more than maxOperations or maxHeld bytes of them.
type Reader struct {
	events Events
	queue  []Step
	failed error

	start      *record.Start
	began, at  time.Time
	operations map[int64]*Operation
	// order in which operations are to be Done.
	order []int64
	held  int
	// unended is the room for rows of theirs that are not whole.
	unended record.Room
	// asking is the operation whose parts are being read.
	asking *Operation
	// verdict came in the event of asking.
	verdict *record.Verdict
}

const (
	// maxOperations is how many operations are waited for: a portal that is executed
	// again goes on under its old number.
	maxOperations = 1024
	// maxHeld bounds their texts, in bytes.
	maxHeld = 32 << 20
)

// NewReader reads the steps of a recording.
func NewReader(events Events) *Reader {
	return &Reader{events: events, operations: map[int64]*Operation{}}
}

// Next is the next step. io.EOF follows the last one of a complete session; any other
// error is that of the events, after the last step that can be believed.
func (r *Reader) Next() (Step, error) {
	for len(r.queue) == 0 {
		if r.failed != nil {
			return Step{}, r.failed
		}
		event, err := r.events.Next()
		if err != nil {
			r.finish(err)
			continue
		}
		r.take(event)
	}
	step := r.queue[0]
	r.queue = r.queue[1:]
	return step, nil
}

// finish gives what is still open, and then the error.
func (r *Reader) finish(err error) {
	r.failed = err
	r.asked()
	for len(r.order) > 0 {
		r.done()
	}
	if !errors.Is(err, io.EOF) {
		r.add(Step{Kind: Said, Notice: "The recording ends here: " + err.Error()})
	}
}

// add queues a step at the newest event's time.
func (r *Reader) add(step Step) {
	step.Time = r.at
	step.At = max(0, r.at.Sub(r.began))
	r.queue = append(r.queue, step)
}

func (r *Reader) take(event record.Event) {
	switch {
	case r.began.IsZero():
		r.began, r.at = event.Time, event.Time
	case event.Time.After(r.at):
		r.at = event.Time
	}
	if event.Type != record.EventPart {
		r.asked()
	}
	switch {
	case event.Start != nil:
		r.start = event.Start
		r.add(Step{Kind: Begin, Start: event.Start})
	case event.Grant != nil:
		r.add(Step{Kind: Granted, Grant: event.Grant, Sequence: event.Sequence})
	case event.Operation != nil:
		r.ask(event.Operation, event.Verdict)
	case event.Part != nil:
		r.part(event.Part)
	case event.Hold != nil:
		operation := r.operation(event.Hold.Operation)
		operation.Hold = event.Hold
		r.add(Step{Kind: Held, Operation: operation, Hold: event.Hold})
	case event.Verdict != nil:
		r.decide(event.Verdict)
	case event.Output != nil:
		r.output(event.Output)
	case event.Stream != nil:
		r.add(Step{Kind: Streamed, Operation: r.operation(event.Stream.Operation), Stream: event.Stream})
	case event.Result != nil:
		r.answer(event.Result)
	case event.Terminal != nil:
		r.terminal(event.Terminal)
	case event.File != nil:
		r.add(Step{Kind: Moved, Operation: r.operation(event.File.Operation), File: event.File})
	case event.End != nil:
		for len(r.order) > 0 {
			r.done()
		}
		r.add(Step{Kind: End, End: event.End})
	case event.Notice != "":
		r.add(Step{Kind: Said, Notice: event.Notice})
	}
}

func (r *Reader) ask(o *record.Operation, verdict *record.Verdict) {
	operation := r.open(o.ID)
	operation.Kind, operation.Reads, operation.Writes = o.Kind, o.Reads, o.Writes
	r.asking, r.verdict = operation, verdict
	r.append(operation, o.Text, o.Values, false)
	if !o.More {
		r.asked()
	}
}

func (r *Reader) part(part *record.Part) {
	if r.asking == nil {
		return
	}
	r.append(r.asking, part.Text, part.Values, part.Joined)
	if !part.More {
		r.asked()
	}
}

// asked is the end of an operation's parts.
func (r *Reader) asked() {
	if r.asking == nil {
		return
	}
	r.add(Step{Kind: Asked, Operation: r.asking})
	r.asking = nil
	if r.verdict != nil {
		r.decide(r.verdict)
	}
	r.verdict = nil
}

// append adds text and values to an operation, up to MaxText.
func (r *Reader) append(o *Operation, text record.Text, values []record.Text, joined bool) {
	o.Text += r.room(o, string(text))
	for i, value := range values {
		if i == 0 && joined && len(o.Values) > 0 {
			o.Values[len(o.Values)-1] += r.room(o, string(value))
			continue
		}
		if o.Cut {
			return
		}
		o.Values = append(o.Values, r.room(o, string(value)))
	}
}

// room is as much of a text as the operation may hold yet. A value takes some itself.
func (r *Reader) room(o *Operation, text string) string {
	const overhead = 16
	if left := MaxText - o.size - overhead; len(text) > left {
		text, o.Cut = text[:max(0, left)], true
	}
	o.size += len(text) + overhead
	r.held += len(text) + overhead
	return text
}

func (r *Reader) decide(verdict *record.Verdict) {
	operation := r.operation(verdict.Operation)
	operation.Verdict = verdict
	r.add(Step{Kind: Decided, Operation: operation, Verdict: verdict})
}

func (r *Reader) answer(result *record.Result) {
	operation := r.operation(result.Operation)
	sum := *result
	if so := operation.Result; so != nil {
		sum.Rows, sum.Bytes = sum.Rows+so.Rows, sum.Bytes+so.Bytes
		sum.Masked = maps.Clone(so.Masked)
		if sum.Masked == nil {
			sum.Masked = map[string]int64{}
		}
		for why, count := range result.Masked {
			sum.Masked[why] += count
		}
		if sum.Error == "" {
			sum.Error = so.Error
		}
	}
	operation.Result = &sum
	r.add(Step{Kind: Answered, Operation: operation, Result: result})
}

// protocolPostgres is the protocol whose rows record.Rows reads.
const protocolPostgres = "postgres"

func (r *Reader) output(output *record.Output) {
	o := r.operation(output.Operation)
	if len(output.Columns) > 0 {
		o.columns = output.Columns
	}
	if o.unreadable || r.start == nil || r.start.Protocol != protocolPostgres {
		return
	}
	rows, err := o.rows.Add(*output)
	if len(output.Columns) > 0 || len(rows) > 0 {
		r.add(Step{Kind: Rows, Operation: o, Columns: output.Columns, Rows: rows})
	}
	if err != nil {
		o.unreadable = true
		r.add(Step{Kind: Said, Operation: o, Notice: "the rows cannot be read: " + err.Error()})
	}
}

// operation is the one with that number. One that was Done long ago begins anew, without
// its text.
func (r *Reader) operation(id int64) *Operation {
	if o := r.operations[id]; o != nil {
		return o
	}
	return r.open(id)
}

func (r *Reader) open(id int64) *Operation {
	for len(r.order) >= maxOperations || r.held > maxHeld {
		if len(r.order) == 0 {
			break
		}
		r.done()
	}
	o := &Operation{ID: id, Time: r.at, rows: record.Rows{Room: &r.unended}}
	if before := r.operations[id]; before == nil {
		r.order = append(r.order, id)
	} else {
		before.rows.Forget()
	}
	r.operations[id] = o
	return o
}

func (r *Reader) done() {
	id := r.order[0]
	r.order = r.order[1:]
	o := r.operations[id]
	delete(r.operations, id)
	r.held -= o.size
	o.rows.Forget()
	r.add(Step{Kind: Done, Operation: o})
}
