package record

import (
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// The most of each free text in an event; what is longer is cut, and says so.
// An operation's text and values are never cut: they are split.
const (
	maxMessage    = 8 << 10
	maxAttribute  = 1 << 10
	maxAttributes = 32
	maxColumn     = 64
	maxPath       = 4 << 10
	// maxNames is how many relations an operation names in each of its two lists.
	maxNames = 64
	cutMark  = "… (cut)"
	// maxCounts is as many as a policy can have masks.
	maxCounts = 512
)

// valueOverhead is what a value costs beside its bytes, so that a million empty
// ones do not fit into one event.
const valueOverhead = 8

// split yields an operation as the events that it takes: one, or an operation and
// its parts.
func split(operation Operation) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		if whole(&operation) {
			operation.Kind, operation.More = clip(operation.Kind, maxAttribute), false
			yield(Event{Type: EventOperation, Operation: &operation})
			return
		}
		text, values, joined := operation.Text, slices.Clone(operation.Values), false
		for first := true; ; first = false {
			budget := maxText
			var now Part
			now.Operation = operation.ID
			now.Text, text = take(text, budget)
			budget -= len(now.Text)
			now.Joined = joined && len(values) > 0
			now.Values, values, joined = takeValues(values, budget)
			now.More = text != "" || len(values) > 0

			event := Event{Type: EventPart, Part: &now}
			if first {
				event = Event{Type: EventOperation, Operation: &Operation{
					ID: operation.ID, Kind: clip(operation.Kind, maxAttribute), Reads: operation.Reads, Writes: operation.Writes,
					Text: now.Text, Values: now.Values, More: now.More,
				}}
			}
			if !yield(event) || !now.More {
				return
			}
		}
	}
}

// whole says that an operation fits into one event.
func whole(operation *Operation) bool {
	size := len(operation.Text)
	for _, value := range operation.Values {
		size += len(value) + valueOverhead
	}
	return size < maxText
}

// takeValues takes what fits, the last of it perhaps in part; joined says that the
// first of the rest continues it. It writes the remainder into values.
func takeValues(values []Text, budget int) (taken, rest []Text, joined bool) {
	for i, value := range values {
		budget -= valueOverhead
		if budget <= 0 {
			return values[:i:i], values[i:], false
		}
		if len(value) <= budget {
			budget -= len(value)
			continue
		}
		head, tail := take(value, budget)
		taken = append(slices.Clone(values[:i]), head)
		values[i] = tail
		return taken, values[i:], true
	}
	return values, nil, false
}

// take cuts after at most n bytes, not within a character.
func take(text Text, n int) (head, tail Text) {
	if len(text) <= n {
		return text, ""
	}
	for cut := n; cut > 0 && cut > n-utf8.UTFMax; cut-- {
		if utf8.RuneStart(text[cut]) {
			n = cut
			break
		}
	}
	return text[:n], text[n:]
}

// clip bounds a text that may be cut, and makes it UTF-8.
func clip(text string, n int) string {
	if len(text) > n {
		text = text[:n] + cutMark
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// bounded is an event with its free texts within their limits.
func bounded(event Event) Event {
	event.Notice = clip(event.Notice, maxMessage)
	switch {
	case event.Grant != nil:
		event.Grant = new(boundedGrant(*event.Grant))
	case event.Hold != nil:
		hold := *event.Hold
		hold.Message = clip(hold.Message, maxMessage)
		event.Hold = &hold
	case event.File != nil:
		file := *event.File
		file.Path, file.Op = clip(file.Path, maxPath), clip(file.Op, maxAttribute)
		event.File = &file
	case event.End != nil:
		end := *event.End
		end.Reason = clip(end.Reason, maxMessage)
		event.End = &end
	}
	return event
}

func boundedStart(start Start) Start {
	for _, field := range []*string{
		&start.Request, &start.Namespace, &start.Task, &start.User,
		&start.Proof, &start.Remote, &start.Target, &start.Protocol,
	} {
		*field = clip(*field, maxAttribute)
	}
	attributes := make(map[string]string, len(start.Attributes))
	for name, value := range start.Attributes {
		if len(attributes) < maxAttributes {
			attributes[clip(name, maxAttribute)] = clip(value, maxAttribute)
		}
	}
	start.Attributes = attributes
	return start
}
