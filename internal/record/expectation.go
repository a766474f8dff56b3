package record

import (
	"crypto/ed25519"
	"fmt"
	"strings"
	"time"

	"filippo.io/age"
)

// Expectation is what a recording must agree with, beyond itself. What is empty is
// not checked.
type Expectation struct {
	// Session and RequestUID that it is said to be of.
	Session, RequestUID string
	// Heads that the proxy reported while it wrote. Without one, and without signatures,
	// a recording that was cut looks like one whose proxy died there, and one that was
	// written anew looks true.
	Heads []Head
	// Seals are signatures that were kept elsewhere, as in the request's status.
	Seals []Signature
	// Keys that may have signed, public. Without them signatures are compared with the
	// segments, but prove nothing.
	Keys []ed25519.PublicKey
	// Identities that open encrypted events. Without them the segments of an encrypted
	// recording are checked, but not its events.
	Identities []age.Identity
}

// Summary is what a verified recording holds.
type Summary struct {
	Header Header
	Start  *Start
	End    *End
	Head   Head
	// First and Last event's times.
	First, Last time.Time
	// Operations in the recording.
	Operations int64
	// HeadChecked says that it agrees with an expected head; Heads is with how many.
	HeadChecked bool
	Heads       int

	// Segments that are sealed; Bytes of their objects, and of the open one's journal.
	Segments int
	Bytes    int64
	// SignedSegment is the newest segment whose signature holds: it vouches for every one
	// before it, by the chain. SignedEvent is its last event. 0 is none.
	SignedSegment int
	SignedEvent   int64
	// Unsigned segments: those after SignedSegment.
	Unsigned int
	// Behind are objects behind an end that is signed: no part of the recording, and nobody's
	// word. Their names within the session's folder, in order.
	Behind []string
	// Keys that signed, by KeyID, sorted.
	Keys []string
	// Encrypted says that events are encrypted, Read that they were read and checked.
	Encrypted, Read bool
	// Open says that a journal of events that are not sealed was found.
	Open bool
}

// maxNamed is how many objects a text names.
const maxNamed = 5

// BehindText says for people what lies behind a signed end; nothing if nothing does.
func (s Summary) BehindText() string {
	names, more := s.Behind, ""
	switch {
	case len(names) == 0:
		return ""
	case len(names) > maxNamed:
		names, more = names[:maxNamed], fmt.Sprintf(" and %d more", len(s.Behind)-maxNamed)
	}
	return fmt.Sprintf("behind its signed end somebody put %s%s: unsigned, and no part of it", strings.Join(names, ", "), more)
}
