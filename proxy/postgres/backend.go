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
// read buffer; rows and COPY data are never looked into.
type backend struct {
	*relay
	ctx context.Context
	// rows and bytes of the operation that is running.
	rows, bytes int64
	// inRows says that the step being answered may have rows.
	inRows bool
	// told says that the target has said why it ends the session.
	told bool
}

// run ends with the target, or with an error.
func (b *backend) run() error {
	in := b.up.reader
	for {
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
		if b.inRows {
			return nil
		}
		b.inRows = b.running()
		if !b.inRows {
			return broken("rows that nobody asked for")
		}
		return nil
	case wire.TypeNoticeResponse, wire.TypeNotificationResponse:
		return nil
	case wire.TypeParameterStatus:
		return b.parameter(frame.Body)
	}
	b.inRows = false
	instead, err := b.answer(frame)
	if err != nil || instead == nil {
		return err
	}
	if err := b.forward(len(frame.Raw)); err != nil {
		return err
	}
	return b.client.write(instead)
}

// forward writes what is held, without its last n bytes.
func (b *backend) forward(n int) error {
	err := b.client.write(b.up.reader.Held(n))
	b.up.reader.Release()
	return err
}

// running says whether the step being answered may have rows.
func (b *backend) running() bool {
	b.pipeline.mu.Lock()
	defer b.pipeline.mu.Unlock()
	s := b.pipeline.head()
	return s != nil && !s.failed && s.refusal == nil && (s.kind == stepQuery || s.kind == stepExecute)
}

func (b *backend) parameter(body []byte) error {
	p, err := wire.ReadParameterStatus(body)
	if err != nil {
		return err
	}
	b.noteEncoding(p)
	return checkStatus(p)
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
	if operation == 0 {
		return nil
	}
	if result.Rows == 0 && code == "" {
		result.Rows = wire.CommandComplete{Tag: tag}.Rows()
	}
	return b.session.Result(b.ctx, result)
}
