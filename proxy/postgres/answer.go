package postgres

import (
	"strings"
	"time"

	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// notRun is recorded for an operation that was admitted and then skipped by the
// target, as it skips what follows an error.
const notRun = "not run"

// ending is what a step's answer makes of an operation, recorded once the lock is
// given back.
type ending struct {
	operation int64
	tag, code string
}

// answer matches a message of the target with the step that it answers. What it
// returns, if anything, goes to the client in its place.
func (b *backend) answer(frame wire.Frame) ([]byte, error) {
	if frame.Type == wire.TypeErrorResponse {
		return b.failed(frame)
	}
	p := b.pipeline
	p.mu.Lock()
	s := p.head()
	shape := s != nil && s.kind == stepShape
	ended, err := b.match(frame, s)
	p.mu.Unlock()
	if err != nil {
		return nil, err
	}
	for _, e := range ended {
		if err := b.result(e.operation, e.tag, e.code); err != nil {
			return nil, err
		}
	}
	if shape {
		// The client has not asked.
		return []byte{}, nil
	}
	return nil, nil
}

// match follows a message that is no error. It holds the pipeline's lock.
func (b *backend) match(frame wire.Frame, s *step) ([]ending, error) {
	p := b.pipeline
	if s == nil || s.refusal != nil && !s.failed {
		return nil, broken("the target answers %q to what was not asked", frame.Type)
	}
	simple := s.kind == stepQuery && !s.failed
	switch {
	case frame.Type == wire.TypeParseComplete && s.kind == stepParse:
		p.prepared(s.name, s.statement)
		operation := s.operation()
		p.pop()
		return b.one(operation, "PREPARE"), nil
	case frame.Type == wire.TypeBindComplete && s.kind == stepBind:
		p.portals[s.name] = s.portal
		if b.masked != nil {
			s.portal.cursor = b.masked.cursors.open(s.name, s.portal.reading)
		}
		p.pop()
	case frame.Type == wire.TypeCloseComplete && s.kind == stepClose:
		if s.object == wire.ObjectStatement {
			p.unprepared(s.name)
		} else {
			delete(p.portals, s.name)
			if b.masked != nil {
				delete(b.masked.cursors, s.name)
			}
		}
		p.pop()
	case frame.Type == wire.TypeParameterDescription && s.kind == stepDescribe:
		types, err := wire.ReadParameterDescription(frame.Body())
		if err == nil && s.statement != nil {
			s.statement.types.Store(&types)
		}
		return nil, err
	case frame.Type == wire.TypeRowDescription && s.kind == stepDescribe:
		p.pop()
		return nil, wire.CheckRowDescription(frame.Body())
	case frame.Type == wire.TypeNoData && (s.kind == stepDescribe || s.kind == stepShape):
		p.pop()
	case frame.Type == wire.TypeRowDescription && s.kind == stepShape:
		err := b.columns(frame.Body(), s)
		p.pop()
		return nil, err
	case frame.Type == wire.TypeRowDescription && simple:
		return nil, b.columns(frame.Body(), s)
	case frame.Type == wire.TypeCopyInResponse && s.copyIn && (simple || s.kind == stepExecute):
		p.copying = s.operation()
		p.changed.Broadcast()
		_, err := wire.ReadCopyResponse(frame.Body())
		return nil, err
	case frame.Type == wire.TypeCopyOutResponse && (simple || s.kind == stepExecute):
		response, err := wire.ReadCopyResponse(frame.Body())
		if err == nil && b.masked != nil {
			err = b.masked.copyOut(response, s, p)
		}
		return nil, err
	case frame.Type == wire.TypeCopyDone && (simple || s.kind == stepExecute):
		if b.masked != nil && b.masked.copy != nil {
			return nil, b.masked.copy.Done()
		}
	case frame.Type == wire.TypeCommandComplete && (simple || s.kind == stepExecute):
		return b.complete(frame.Body(), s)
	case frame.Type == wire.TypeEmptyQueryResponse && simple && len(s.operations) == 0:
	case frame.Type == wire.TypeEmptyQueryResponse && s.kind == stepExecute:
		p.pop()
	case frame.Type == wire.TypePortalSuspended && s.kind == stepExecute:
		operation := s.operation()
		if b.masked != nil {
			b.masked.ran(s, p, "")
		}
		p.pop()
		return b.one(operation, "portal suspended"), nil
	case frame.Type == wire.TypeReadyForQuery && (s.kind == stepSync || s.kind == stepQuery && (s.failed || s.ran == len(s.operations))):
		status, err := wire.ReadReadyForQuery(frame.Body())
		if b.masked != nil {
			b.masked.ready(status)
		}
		p.ready(status)
		return nil, err
	default:
		return nil, broken("the target answers %q to what was not asked", frame.Type)
	}
	return nil, nil
}

// complete ends the operation that is running. That a Query ends as many as were
// judged is checked here and at ReadyForQuery.
func (b *backend) complete(body []byte, s *step) ([]ending, error) {
	tag, err := b.tag(body)
	if err != nil {
		return nil, err
	}
	if s.kind == stepQuery && s.ran == len(s.operations) {
		return nil, broken("the target ran more statements than were judged")
	}
	p := b.pipeline
	operation := s.operation()
	if b.masked != nil {
		b.masked.ran(s, p, tag)
	}
	s.ran++
	p.completed(s, tag)
	if s.portal != nil {
		s.portal.ended = true
	}
	p.copying = 0
	if endsPortals(tag) {
		clear(p.portals)
	}
	if s.kind == stepExecute {
		p.pop()
	} else {
		p.changed.Broadcast()
	}
	return b.one(operation, tag), nil
}

// one is the ending of one operation that has run.
func (b *backend) one(operation int64, tag string) []ending {
	b.ended[0] = ending{operation: operation, tag: tag}
	return b.ended[:]
}

// tag reads a CommandComplete: mostly it is the same as the last.
func (b *backend) tag(body []byte) (string, error) {
	if n := len(body) - 1; n >= 0 && body[n] == 0 && string(body[:n]) == b.lastTag {
		return b.lastTag, nil
	}
	c, err := wire.ReadCommandComplete(body)
	b.lastTag = c.Tag
	return c.Tag, err
}

// columns takes the description of the rows that follow.
func (b *backend) columns(body []byte, s *step) error {
	if b.masked == nil && b.output == nil {
		return wire.CheckRowDescription(body)
	}
	columns, err := wire.ReadRowDescription(body)
	if err != nil {
		return err
	}
	if b.masked != nil {
		b.masked.result(columns, s, b.pipeline)
	}
	if b.output != nil {
		return b.output.describe(columns)
	}
	return nil
}

// endsPortals says whether a command may have ended portals, or made one of a name
// that a client has used.
func endsPortals(tag string) bool {
	switch word, _, _ := strings.Cut(tag, " "); word {
	case "COMMIT", "ROLLBACK", "DISCARD", "DECLARE", "CLOSE", "CALL", "DO":
		return true
	case "PREPARE":
		return tag == "PREPARE TRANSACTION"
	}
	return false
}

// dismissed lets the target itself say why it ends the session. When the credential
// has been revoked, our own word of why is a moment away, and says more.
func (b *backend) dismissed(code string) error {
	if code == codeShutdown {
		timer := time.NewTimer(farewellTimeout)
		defer timer.Stop()
		select {
		case <-b.over:
			return errTold
		case <-timer.C:
		}
	}
	b.told = true
	return nil
}

// failed takes an error: the step that it answers has failed, and the target skips
// what follows in the segment.
func (b *backend) failed(frame wire.Frame) ([]byte, error) {
	report, err := wire.ReadReport(frame.Body())
	if err != nil {
		return nil, err
	}
	p := b.pipeline
	p.mu.Lock()
	s := p.head()
	var said []byte
	if b.masked != nil {
		b.masked.settle()
		if said, err = b.masked.report(frame, b.masked.guards(s, p)); err != nil {
			p.mu.Unlock()
			return nil, err
		}
	}
	if s == nil || report.Fatal() {
		p.mu.Unlock()
		if !report.Fatal() {
			return nil, broken("an error that answers nothing")
		}
		return said, b.dismissed(report.Code)
	}
	instead := s.refusal
	code := report.Code
	if instead != nil {
		// The refused operation has its verdict; others of its message did not run.
		code = notRun
	}
	s.failed = true
	p.copying = 0
	ended := s.abandon(code)
	switch s.kind {
	case stepQuery:
		p.changed.Broadcast()
	case stepSync:
	default:
		p.pop()
		ended = append(ended, p.skip()...)
	}
	p.mu.Unlock()
	for _, e := range ended {
		if err := b.result(e.operation, e.tag, e.code); err != nil {
			return nil, err
		}
	}
	b.rows, b.bytes = 0, 0
	if instead == nil {
		instead = said
	}
	return instead, nil
}
