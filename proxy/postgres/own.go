package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// ownName is the statement and portal of our own queries: no client's has it.
const ownName = "sallyport_own"

const (
	// maxOwnBytes bounds the answer to a query of our own.
	maxOwnBytes = 64 << 20
	// ownTimeout bounds a query of our own.
	ownTimeout = 30 * time.Second
	// unansweredTimeout bounds what the target takes to stop one.
	unansweredTimeout = 5 * time.Second
)

// own is a query of the engine's on the session's own connection, between the
// client's messages. It is a named statement with a portal of its own, so that what
// the client has unnamed stays.
type own struct {
	rows [][][]byte
	// partial is what has come of a row that is taken in pieces.
	partial []byte
	bytes   int
	err     error
	status  byte
}

// ownError is what the target says against a query of ours.
type ownError struct{ report wire.Report }

func (e *ownError) Error() string {
	return fmt.Sprintf("the target says: %s (SQLSTATE %s)", e.report.Message, e.report.Code)
}

// ask is the whole exchange, up to a Sync of its own.
func ask(query string, values []string) []byte {
	bind := wire.Bind{Portal: ownName, Statement: ownName}
	for _, value := range values {
		bind.Values = append(bind.Values, []byte(value))
	}
	statement, portal := wire.Target{Object: wire.ObjectStatement, Name: ownName}, wire.Target{Object: wire.ObjectPortal, Name: ownName}
	// One that failed before is still there.
	message := wire.AppendClose(nil, statement)
	message = wire.AppendParse(message, wire.Parse{Name: ownName, Text: query})
	message = wire.AppendBind(message, bind)
	message = wire.AppendExecute(message, ownName)
	message = wire.AppendClose(wire.AppendClose(message, portal), statement)
	return wire.AppendSync(message)
}

// take follows the answer. It is over at ReadyForQuery, whose status it then has.
// False is a message that is not part of it.
func (o *own) take(frame wire.Frame) (bool, error) {
	switch frame.Type {
	case wire.TypeDataRow:
		return true, o.row(frame)
	case wire.TypeParseComplete, wire.TypeBindComplete, wire.TypeCloseComplete, wire.TypeCommandComplete,
		wire.TypeEmptyQueryResponse, wire.TypeNoticeResponse:
		return true, nil
	case wire.TypeErrorResponse:
		report, err := wire.ReadReport(frame.Body())
		if err != nil || report.Fatal() {
			return false, err
		}
		if o.err == nil {
			o.err = &ownError{report}
		}
		return true, nil
	case wire.TypeReadyForQuery:
		var err error
		o.status, err = wire.ReadReadyForQuery(frame.Body())
		return true, err
	case wire.TypeParameterStatus, wire.TypeNotificationResponse:
		return false, nil
	}
	return false, broken("the target answers %q to a query of the proxy's", frame.Type)
}

func (o *own) row(frame wire.Frame) error {
	if o.bytes += len(frame.Raw); o.bytes > maxOwnBytes {
		o.rows, o.partial = nil, nil
		o.err = errors.New("the target's answer is too large")
		return nil
	}
	o.partial = append(o.partial, frame.Body()...)
	if frame.Rest > 0 {
		return nil
	}
	values, err := wire.ReadDataRow(o.partial)
	o.rows, o.partial = append(o.rows, values), nil
	return err
}

// inquire runs a query of our own, once all before it is answered. It must not be
// called in a failed transaction, nor after a message of a segment that is no part of
// an explicit one: its Sync would end what that began. When ctx ends first, the
// target is asked to stop it.
func (f *frontend) inquire(ctx context.Context, text string, values ...string) ([][][]byte, error) {
	if err := f.settle(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, ownTimeout)
	defer cancel()
	p, o := f.pipeline, &own{}
	p.own.Store(o)
	stop := context.AfterFunc(ctx, func() { stopRunning(context.WithoutCancel(ctx), f.up) })
	defer stop()
	late := time.AfterFunc(ownTimeout+unansweredTimeout, func() {
		f.end(&fault{code: codeConnectionFailure, message: "the target does not stop what the proxy has asked it"})
	})
	defer late.Stop()
	if err := f.out.add(ask(text, values)); err != nil {
		return nil, err
	}
	if err := f.out.flush(); err != nil {
		return nil, err
	}
	if err := p.await(func() bool { return p.own.Load() == nil }); err != nil {
		return nil, err
	}
	if o.err != nil && context.Cause(ctx) != nil {
		return nil, context.Cause(ctx)
	}
	return o.rows, o.err
}

// collect takes what is part of the answer to a query of our own.
func (b *backend) collect(o *own, frame wire.Frame) (bool, error) {
	taken, err := o.take(frame)
	if !taken || err != nil {
		return taken, err
	}
	if err := b.forward(len(frame.Raw)); err != nil {
		return true, err
	}
	if o.status != 0 {
		b.pipeline.answeredOwn(o.status)
	}
	return true, nil
}

// ask is inquire with every value as text, NULL as "".
func (f *frontend) ask(ctx context.Context, text string) ([][]string, error) {
	rows, err := f.inquire(ctx, text)
	return asText(rows), err
}

func asText(rows [][][]byte) [][]string {
	list := make([][]string, len(rows))
	for i, row := range rows {
		list[i] = make([]string, len(row))
		for j, value := range row {
			list[i][j] = string(value)
		}
	}
	return list
}

// settle sends all that is admitted, and waits until it is answered.
func (f *frontend) settle() error {
	if f.open {
		if err := f.out.add(wire.AppendFlush(nil)); err != nil {
			return err
		}
	}
	if err := f.flush(); err != nil {
		return err
	}
	p := f.pipeline
	return p.await(func() bool { return p.first == len(p.steps) })
}

// ask runs a query before the session is relayed.
func (u *Upstream) ask(ctx context.Context, text string) ([][]string, error) {
	rows, err := u.inquire(ctx, text)
	return asText(rows), err
}

// inquire ends the connection when ctx ends first.
func (u *Upstream) inquire(ctx context.Context, text string, values ...string) ([][][]byte, error) {
	stop := context.AfterFunc(ctx, func() { _ = u.SetDeadline(past) })
	defer stop()
	if _, err := u.Write(ask(text, values)); err != nil {
		return nil, cause(ctx, err)
	}
	u.reader.SetLimits(fromAsked)
	defer u.reader.Release()
	o := &own{}
	for o.status == 0 {
		frame, ok, err := u.reader.Next()
		if err != nil {
			return nil, err
		}
		if !ok {
			u.reader.Release()
			if err := u.reader.Fill(); err != nil {
				return nil, cause(ctx, err)
			}
			continue
		}
		taken, err := o.take(frame)
		if err != nil {
			return nil, err
		}
		if !taken && frame.Type == wire.TypeErrorResponse {
			return nil, targetError(frame.Body())
		}
	}
	return o.rows, o.err
}
