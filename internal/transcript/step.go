// Package transcript tells what happened in a session, step by step, and writes that
// in the formats that others read: asciicast, CSV, JSON Lines, a web page.
package transcript

import (
	"time"

	"github.com/sallyport/sallyport/internal/record"
)

// Kind is what a step is.
type Kind string

// The steps of a session.
const (
	// Begin is the session's first step; Start is set.
	Begin Kind = "begin"
	// Granted is what the operations after it are judged by; Grant and Sequence are set.
	Granted Kind = "granted"
	// Asked is an operation with all of its text, before anything else about it.
	Asked Kind = "asked"
	// Held is an operation before its reviewers, or what came of that; Hold is set.
	Held Kind = "held"
	// Decided is an operation's verdict; Verdict is set.
	Decided Kind = "decided"
	// Rows are rows that the client got of an operation; Columns begin each result.
	Rows Kind = "rows"
	// Streamed is a chunk that went to the target; Stream is set.
	Streamed Kind = "streamed"
	// Answered is what the target answered to an operation; Result is set.
	Answered Kind = "answered"
	// Screen is what a terminal was sent; Output is set.
	Screen Kind = "screen"
	// Resized is a terminal's new size.
	Resized Kind = "resized"
	// Moved is a file that went over; File is set.
	Moved Kind = "moved"
	// Said is what the proxy told the client, or what this package has to say of the
	// recording; Notice is set.
	Said Kind = "said"
	// End closes the session; End is set.
	End Kind = "end"
	// Done is an operation about which nothing more is expected: all of it is known.
	// Operations are done in the order in which they were asked.
	Done Kind = "done"
)

// Step is one thing that happened. Which fields are set depends on Kind.
type Step struct {
	Kind Kind
	Time time.Time
	// At is since the session began; it never goes back, even where a clock did.
	At time.Duration

	// Operation that the step is about, as far as it is known by then; nil for the
	// session's own steps.
	Operation *Operation

	Start *record.Start
	Grant *record.Grant
	// Sequence is the number of a grant's event.
	Sequence int64

	Hold    *record.Hold
	Verdict *record.Verdict
	Stream  *record.Stream
	Result  *record.Result
	File    *record.File
	End     *record.End
	Notice  string

	Columns []record.Column
	Rows    []record.Row

	Output []byte
	// Width and Height of a terminal, in characters.
	Width, Height int
}

// Operation is one operation, and what became of it so far.
type Operation struct {
	ID   int64
	Time time.Time
	Kind string
	// Text and Values as the client sent them; Cut says that they are longer than
	// MaxText, and not whole here.
	Text   string
	Values []string
	Cut    bool
	// Reads and Writes are the relations of it, as schema.name.
	Reads, Writes []string

	// Hold is the newest; nil where it never was held.
	Hold *record.Hold
	// Verdict is nil while there is none.
	Verdict *record.Verdict
	// Result is the sum of all of its results; nil where there is none.
	Result *record.Result

	columns []record.Column
	rows    record.Rows
	// unreadable says that its rows are not what they should be.
	unreadable bool
	size       int
}

// MaxText is the most that an Operation holds of text and values, in bytes.
const MaxText = 1 << 20

// Effect is the verdict in one word; "Pending" where there is none.
func (o *Operation) Effect() string {
	if o.Verdict == nil {
		return "Pending"
	}
	return o.Verdict.Effect
}
