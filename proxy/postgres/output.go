package postgres

import (
	"context"
	"sync"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// maxOutputQueue is how many blocks may wait to be recorded.
const maxOutputQueue = 2

// output records what the client gets of the operations' rows, in blocks. Full blocks
// are written by a goroutine of its own, the last of an operation in
// turn, so that none comes after the operation's result. It belongs to the backend.
type output struct {
	session door
	ctx     context.Context
	failed  func(error)

	// operation that block is of.
	operation int64
	columns   []record.Column
	block     []byte
	rows      int64

	queue   chan record.Output
	free    chan []byte
	waiting sync.WaitGroup
	worker  sync.WaitGroup
	mu      sync.Mutex
	err     error
}

// newOutput is nil where rows are not kept.
func newOutput(ctx context.Context, r *relay) *output {
	state := r.session.State()
	if state.Grant == nil || state.Grant.Policy.Recording.Output != v1alpha1.OutputFull {
		return nil
	}
	return &output{session: r.session, ctx: ctx, failed: r.end}
}

// describe begins a result of these columns. What is left of one that ended without a
// result of its own is recorded first.
func (o *output) describe(columns []wire.Column) error {
	if len(o.block) > 0 {
		if err := o.end(o.operation); err != nil {
			return err
		}
	}
	o.columns = make([]record.Column, len(columns))
	for i, c := range columns {
		o.columns[i] = record.Column{Name: c.Name, Type: c.Type, Binary: c.Format == wire.FormatBinary}
	}
	return nil
}

// add takes messages, or a piece of one, on their way to the client.
func (o *output) add(operation int64, raw []byte, rows int64) error {
	if operation != o.operation {
		if len(o.block) > 0 {
			if err := o.end(o.operation); err != nil {
				return err
			}
		}
		o.operation = operation
	}
	o.rows += rows
	for len(raw) > 0 {
		n := min(len(raw), record.MaxBlock-len(o.block))
		o.block, raw = append(o.block, raw[:n]...), raw[n:]
		if len(o.block) < record.MaxBlock {
			continue
		}
		if err := o.hand(operation); err != nil {
			return err
		}
	}
	return nil
}

// hand gives a full block to the goroutine, which is started for the first.
func (o *output) hand(operation int64) error {
	if err := o.failure(); err != nil {
		return err
	}
	if o.queue == nil {
		o.queue, o.free = make(chan record.Output, maxOutputQueue), make(chan []byte, maxOutputQueue+1)
		o.worker.Go(o.work)
	}
	full := o.head(operation)
	o.waiting.Add(1)
	o.queue <- full
	select {
	case o.block = <-o.free:
	default:
		o.block = make([]byte, 0, record.MaxBlock)
	}
	return nil
}

// head is the block with what is to be said of it, once.
func (o *output) head(operation int64) record.Output {
	head := record.Output{Operation: operation, Columns: o.columns, Rows: o.rows, Bytes: int64(len(o.block)), Block: o.block}
	o.columns, o.rows = nil, 0
	return head
}

func (o *output) work() {
	for full := range o.queue {
		if o.failure() == nil {
			if err := o.write(full); err != nil {
				o.mu.Lock()
				o.err = err
				o.mu.Unlock()
				o.failed(err)
			}
		}
		o.free <- full.Block[:0]
		o.waiting.Done()
	}
}

func (o *output) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// write records a block.
func (o *output) write(block record.Output) error {
	if len(block.Columns) > record.MaxBlockColumns {
		if err := o.session.Output(o.ctx, record.Output{Operation: block.Operation, Columns: block.Columns}); err != nil {
			return err
		}
		block.Columns = nil
	}
	return o.session.Output(o.ctx, block)
}

// end records what is left of an operation.
func (o *output) end(operation int64) error {
	o.waiting.Wait()
	if err := o.failure(); err != nil {
		return err
	}
	var err error
	if operation != 0 && len(o.block) > 0 {
		err = o.write(o.head(operation))
	}
	o.columns, o.rows, o.block = nil, 0, o.block[:0]
	o.shrink()
	return err
}

// shrink gives up room that a small result does not need.
func (o *output) shrink() {
	if cap(o.block) <= wire.BufferSize {
		return
	}
	o.block = nil
	for {
		select {
		case <-o.free:
		default:
			return
		}
	}
}

// close ends the goroutine.
func (o *output) close() {
	if o.queue != nil {
		close(o.queue)
		o.worker.Wait()
	}
}
