// Package record is the recording of a session: an append-only log of events, in
// segments that are chained by hash, and signed. The format is specified in docs/recording-format.md.
package record

import "time"

// EventType names what happened.
type EventType string

// The events of a session, in the order in which they may first appear.
const (
	// EventStart opens a recording: who, for which task, on what.
	EventStart EventType = "session.start"
	// EventGrant is what the operations after it are judged by: before the first of them,
	// and again where that has changed.
	EventGrant EventType = "grant"
	// EventOperation is an operation before it is decided; nothing has reached
	// the target.
	EventOperation EventType = "operation"
	// EventPart continues the operation before it, where that is too long for one
	// event.
	EventPart EventType = "operation.part"
	// EventHold is an operation that waits for reviewers, and, a second time, what
	// came of it. Its verdict follows.
	EventHold EventType = "hold"
	// EventVerdict is the decision about the operation with the same number.
	EventVerdict EventType = "verdict"
	// EventResult is what the target answered: tag, rows, error code.
	EventResult EventType = "result"
	// EventOutput is a block of the rows that the client got of an operation. It
	// comes before the result.
	EventOutput EventType = "output"
	// EventStream is a chunk of a stream towards the target (COPY data): length
	// and hash, before it is forwarded.
	EventStream EventType = "stream"
	// EventTerminal is what a terminal showed, or its new size; never what was typed.
	EventTerminal EventType = "terminal"
	// EventFile is a file that went through the session.
	EventFile EventType = "file"
	// EventNotice is something that the proxy told the client.
	EventNotice EventType = "notice"
	// EventEnd closes a recording. One without it is incomplete.
	EventEnd EventType = "session.end"
)

// Event is one line of the log. Which fields are set depends on Type; Sequence and
// Time are the writer's to fill.
type Event struct {
	Sequence int64     `json:"seq"`
	Time     time.Time `json:"time"`
	Type     EventType `json:"type"`

	Start     *Start     `json:"start,omitempty"`
	Grant     *Grant     `json:"grant,omitempty"`
	Operation *Operation `json:"operation,omitempty"`
	Part      *Part      `json:"part,omitempty"`
	Hold      *Hold      `json:"hold,omitempty"`
	Verdict   *Verdict   `json:"verdict,omitempty"`
	Result    *Result    `json:"result,omitempty"`
	Stream    *Stream    `json:"stream,omitempty"`
	Output    *Output    `json:"output,omitempty"`
	Terminal  *Terminal  `json:"terminal,omitempty"`
	File      *File      `json:"file,omitempty"`
	Notice    string     `json:"notice,omitempty"`
	End       *End       `json:"end,omitempty"`

	// Attached is how many raw bytes follow the event's line, Output.Block, Terminal.Data
	// or Grant.Text, and Checksum their CRC-32C: the writer's and the reader's to fill.
	Attached int    `json:"attached,omitempty"`
	Checksum uint32 `json:"crc32c,omitempty"`
}

// Start says who, for which task, on what.
type Start struct {
	Session    string `json:"session"`
	RequestUID string `json:"requestUID"`
	Request    string `json:"request"`
	Namespace  string `json:"namespace"`
	Task       string `json:"task"`
	User       string `json:"user"`
	// Proof is how the user was known: "key SHA256:…" or "token".
	Proof    string `json:"proof"`
	Remote   string `json:"remote"`
	Target   string `json:"target"`
	Protocol string `json:"protocol"`
	// Attributes are the protocol's: database, application_name.
	Attributes map[string]string `json:"attributes,omitempty"`
}

// Operation is one operation as the client sent it. An unknown kind is empty.
type Operation struct {
	ID     int64  `json:"id"`
	Kind   string `json:"kind"`
	Text   Text   `json:"text"`
	Values []Text `json:"values,omitempty"`
	// More says that a Part follows.
	More bool `json:"more,omitempty"`
	// Reads and Writes are the relations that it touches, as schema.name, sorted, for
	// search: 64 of each at most.
	Reads  []string `json:"reads,omitempty"`
	Writes []string `json:"writes,omitempty"`
}

// Part continues an operation: its text is appended to the text so far, its values
// to the list of values.
type Part struct {
	Operation int64  `json:"operation"`
	Text      Text   `json:"text,omitempty"`
	Values    []Text `json:"values,omitempty"`
	// Joined says that the first of Values continues the last value so far.
	Joined bool `json:"joined,omitempty"`
	// More says that another Part follows.
	More bool `json:"more,omitempty"`
}

// Hold is an operation before its reviewers.
type Hold struct {
	Operation int64 `json:"operation"`
	// Review is the ApprovalReview's name; empty where none was opened.
	Review string `json:"review,omitempty"`
	// Point is "Statement" or "Commit".
	Point string `json:"point"`
	// Digest of what an approval releases, in hex.
	Digest string `json:"digest"`
	// Outcome is empty when the wait begins: "Approved", "Denied", "Expired",
	// "Withdrawn".
	Outcome string `json:"outcome,omitempty"`
	Message string `json:"message,omitempty"`
}

// Verdict is the decision about an operation.
type Verdict struct {
	Operation int64  `json:"operation"`
	Effect    string `json:"effect"`
	Policy    string `json:"policy"`
	Rule      string `json:"rule"`
	Message   string `json:"message,omitempty"`
}

// Result is what the target answered to an operation.
type Result struct {
	Operation int64  `json:"operation"`
	Tag       string `json:"tag,omitempty"`
	Rows      int64  `json:"rows,omitempty"`
	Bytes     int64  `json:"bytes,omitempty"`
	Error     string `json:"error,omitempty"`
	// Masked is how many values were masked, by why: "column public.orders.email".
	Masked map[string]int64 `json:"masked,omitempty"`
}

// Stream is a chunk towards the target.
type Stream struct {
	Operation int64  `json:"operation"`
	Bytes     int64  `json:"bytes"`
	SHA256    string `json:"sha256"`
}

// Terminal is what a terminal showed, or its new size.
type Terminal struct {
	Operation int64 `json:"operation"`
	// Kind is "output" or "resize".
	Kind string `json:"kind"`
	Cols int    `json:"cols,omitempty"`
	Rows int    `json:"rows,omitempty"`
	// Data is the output, raw, 256 KiB at most; attached to the event.
	Data []byte `json:"-"`
}

// File is a file, or a part of one, that went through the session.
type File struct {
	Operation int64  `json:"operation"`
	Path      string `json:"path"`
	// Op is "open", "read", "write", "rename", …, Direction "download" or "upload".
	Op        string `json:"op"`
	Bytes     int64  `json:"bytes,omitempty"`
	SHA256    string `json:"sha256,omitempty"`
	Direction string `json:"direction,omitempty"`
}

// End closes a session.
type End struct {
	Reason  string `json:"reason"`
	Allowed int64  `json:"allowed"`
	Refused int64  `json:"refused"`
}

// Head says how far a session's recording goes, and what it is up to there.
type Head struct {
	Session string
	// Sequence of the newest event, and so the number of events.
	Sequence int64
	// Hash is over the last sealed segment and the events of the open one, in hex; in
	// the formats before 1.0 it is the newest event's.
	Hash     string
	Complete bool
}
