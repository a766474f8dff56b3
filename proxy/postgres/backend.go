package postgres

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// backend forwards what the target says. Runs of messages go out as they lie in the
// read buffer; rows and COPY data are never looked into unless the policy masks values
// or keeps rows.
type backend struct {
	*relay
	ctx context.Context
	// rows and bytes of the operation that is running.
	rows, bytes int64
	// inRows says that the step being answered may have rows, those of operation.
	inRows    bool
	operation int64
	// ended is room for the ending of an operation, lastTag the tag of the last one.
	ended   [1]ending
	lastTag string
	// masked and output are nil where the policy does not ask for them.
	masked *masked
	output *output
	// out goes to the client before what is held.
	out []byte
	// told says that the target has said why it ends the session.
	told bool
}

// run ends with the target, or with an error.
func (b *backend) run() error {
	in := b.up.reader
	if b.masked != nil {
		in.SetLimits(wire.BackendLimits(b.masked.limit).Whole())
	}
	if b.output != nil {
		defer b.output.close()
	}
	for {
		if b.inRows && b.masked == nil && b.output == nil {
			rows, size := in.Run(wire.TypeDataRow)
			b.rows, b.bytes = b.rows+rows, b.bytes+size
		}
		frame, ok, err := in.Next()
		if errors.Is(err, wire.ErrTooLarge) {
			return &fault{code: codeLimit, message: "from the target: " + err.Error(), hint: "Ask for less of the value at once, with substr()."}
		}
		if err != nil {
			return err
		}
		if !ok {
			if err := b.forward(0); err != nil {
				return err
			}
			if err := in.Fill(); err != nil {
				return b.lost(err)
			}
			continue
		}
		if err := b.take(frame); err != nil {
			return err
		}
	}
}

// take follows one message, which then goes out with its run, unless another takes
// its place.
func (b *backend) take(frame wire.Frame) error {
	if o := b.pipeline.own.Load(); o != nil {
		if taken, err := b.collect(o, frame); taken || err != nil {
			return err
		}
	}
	switch frame.Type {
	case wire.TypeDataRow, wire.TypeCopyData:
		b.bytes += int64(len(frame.Raw))
		if frame.Begins && frame.Type == wire.TypeDataRow {
			b.rows++
		}
		if !b.inRows {
			b.inRows = b.running()
		}
		if !b.inRows {
			return broken("rows that nobody asked for")
		}
		if b.masked != nil || b.output != nil {
			return b.row(frame)
		}
		return nil
	case wire.TypeNoticeResponse, wire.TypeNotificationResponse:
		return b.aside(frame)
	case wire.TypeParameterStatus:
		return b.parameter(frame)
	}
	b.inRows = false
	instead, err := b.answer(frame)
	if err != nil {
		return err
	}
	return b.replace(frame, instead)
}

// replace puts a message of ours in the place of one of the target's, unless it is
// nil: an empty one leaves it out.
func (b *backend) replace(frame wire.Frame, instead []byte) error {
	if instead == nil {
		return nil
	}
	if err := b.forward(len(frame.Raw)); err != nil {
		return err
	}
	return b.client.write(instead)
}

// forward writes what is to go out and what is held, without its last n bytes.
func (b *backend) forward(n int) error {
	held := b.up.reader.Held(n)
	if len(b.out) > 0 {
		if len(b.out)+len(held) <= cap(b.out) {
			b.out, held = append(b.out, held...), nil
		}
		if err := b.flush(); err != nil {
			return err
		}
	}
	err := b.client.write(held)
	b.up.reader.Release()
	if !b.inRows && cap(b.out) > wire.BufferSize/4 {
		// A session that is idle keeps little.
		b.out = nil
	}
	return err
}

// flush writes what goes out before what is held.
func (b *backend) flush() error {
	err := b.client.write(b.out)
	if b.out = b.out[:0]; cap(b.out) > 4*wire.BufferSize {
		b.out = nil
	}
	return err
}

// row masks a row, or data of a COPY, and keeps what the client gets of it.
func (b *backend) row(frame wire.Frame) error {
	kept, rows := frame.Raw, int64(0)
	if frame.Begins {
		rows = 1
	}
	works, err := b.masked.works(frame)
	if err != nil {
		return err
	}
	if works {
		// What is held goes first.
		if held := b.up.reader.Held(len(frame.Raw)); len(held) > 0 {
			if len(b.out)+len(held) > wire.BufferSize {
				if err := b.flush(); err != nil {
					return err
				}
			}
			b.out = append(b.out, held...)
		}
		begin := len(b.out)
		if b.out, err = b.masked.row(b.out, frame); err != nil {
			return err
		}
		kept = b.out[begin:]
		b.up.reader.Release()
	}
	if b.output != nil {
		if err := b.output.add(b.operation, kept, rows); err != nil {
			return err
		}
	}
	if len(b.out) >= wire.BufferSize {
		return b.flush()
	}
	return nil
}

// running says whether the step being answered may have rows.
func (b *backend) running() bool {
	b.pipeline.mu.Lock()
	defer b.pipeline.mu.Unlock()
	s := b.pipeline.head()
	if s == nil || s.failed || s.refusal != nil || s.kind != stepQuery && s.kind != stepExecute {
		return false
	}
	b.operation = s.operation()
	return true
}

// aside is what the target says in passing.
func (b *backend) aside(frame wire.Frame) error {
	if b.masked == nil {
		return nil
	}
	var instead []byte
	var err error
	if frame.Type == wire.TypeNoticeResponse {
		b.pipeline.mu.Lock()
		guarded := b.masked.guards(b.pipeline.head(), b.pipeline)
		b.pipeline.mu.Unlock()
		instead, err = b.masked.report(frame, guarded)
	} else {
		var same bool
		if instead, same, err = b.masked.Notification(nil, frame.Body()); same {
			instead = nil
		}
	}
	if err != nil {
		return err
	}
	return b.replace(frame, instead)
}

func (b *backend) parameter(frame wire.Frame) error {
	p, err := wire.ReadParameterStatus(frame.Body())
	if err != nil {
		return err
	}
	b.noteEncoding(p)
	if err := checkStatus(p); err != nil || b.masked == nil {
		return err
	}
	instead, same := b.masked.Parameter(nil, p)
	if same {
		return nil
	}
	return b.replace(frame, instead)
}

// lost is the end of the connection to the target.
func (b *backend) lost(err error) error {
	switch {
	case b.told:
		return errTold
	case errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case errors.Is(err, io.EOF):
		return &fault{code: codeConnectionFailure, message: "the target closed the connection"}
	}
	return &fault{code: codeConnectionFailure, message: "the connection to the target broke: " + err.Error()}
}

// result records what became of an operation, and begins to count anew.
func (b *backend) result(operation int64, tag, code string) error {
	result := record.Result{Operation: operation, Tag: tag, Rows: b.rows, Bytes: b.bytes, Error: code}
	b.rows, b.bytes = 0, 0
	if b.masked != nil {
		result.Masked = b.masked.Take()
	}
	if b.output != nil {
		if err := b.output.end(operation); err != nil {
			return err
		}
	}
	if operation == 0 {
		return nil
	}
	if result.Rows == 0 && code == "" {
		result.Rows = wire.CommandComplete{Tag: tag}.Rows()
	}
	return b.session.Result(b.ctx, result)
}
