// Package audit is the audit stream: what was decided and what happened, as
// CloudEvents 1.0, to stdout, files and webhooks. docs/audit.md is its contract.
package audit

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// Sink takes events. Emit never waits for anything: what cannot be kept is counted,
// and the stream says later that there is a gap. A Sink is safe for concurrent use;
// events of one subject are delivered in the order in which they were emitted.
type Sink interface {
	Emit(events ...Event)
}

// Discard is a Sink for who has none.
var Discard Sink = discard{}

type discard struct{}

func (discard) Emit(...Event) {}

// Event is one thing that happened; the Stream adds what is the same in all of them.
type Event struct {
	// ID is the same whenever and by whomever the same thing is told.
	ID      string
	Type    Type
	Subject Subject
	Time    time.Time
	// Data is one of this package's structs, the one that Type stands for. It holds
	// no secret, and texts only as recordings hold them: masked.
	Data any
}

// Subject is the request that an event is about; the zero Subject is the installation.
type Subject struct {
	Namespace, Request, UID string
}

// String is the CloudEvents subject: namespace/request.
func (s Subject) String() string {
	if s.Request == "" {
		return ""
	}
	return s.Namespace + "/" + s.Request
}

// New makes an event. What distinguishes it from others of its type and subject goes
// into what: the same words always make the same ID, so that an event that is told
// twice, by a manager that was started again or by the next leader, is known for one.
func New(t Type, subject Subject, at time.Time, data any, what ...string) Event {
	return Event{
		ID: identify(append([]string{string(t), subject.Namespace, subject.Request, subject.UID}, what...)), Type: t, Subject: subject, Time: at, Data: data,
	}
}

// Once makes an event of something that is never told again, such as a read.
func Once(t Type, subject Subject, at time.Time, data any) Event {
	return New(t, subject, at, data, rand.Text())
}

// identify is 128 bits in hex: no full stop, which Standard Webhooks wants of an ID.
func identify(words []string) string {
	hash := sha256.New()
	_, _ = hash.Write([]byte("sallyport/audit/1\x00"))
	for _, word := range words {
		_, _ = hash.Write(binary.BigEndian.AppendUint32(nil, uint32(len(word))))
		_, _ = hash.Write([]byte(word))
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}
