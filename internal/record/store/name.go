package store

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Kind is what an object holds.
type Kind string

// The kinds of objects of one session.
const (
	// KindSegment is events, sealed: "<session>/00000001.seg".
	KindSegment Kind = "seg"
	// KindSignature is the manager's signature over a segment: "<session>/00000001.sig".
	KindSignature Kind = "sig"
	// KindJournal is the open segment as it is written: "<session>/journal-00000002".
	KindJournal Kind = "journal"
	// KindLegacy is a whole recording of format 0.1 or 0.2: "<session>.rec".
	KindLegacy Kind = "rec"
)

// Name is a parsed object name.
type Name struct {
	Session string
	Kind    Kind
	// Number of the segment, from 1; 0 for KindLegacy.
	Number int
}

const (
	legacyExtension = "." + string(KindLegacy)
	journalPrefix   = string(KindJournal) + "-"
	// digits of a segment's number: names sort as numbers do.
	digits    = 8
	maxNumber = 99_999_999
)

var (
	identifier = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,63}$`)

	// ErrIdentifier is a session or request that no recording can be named by.
	ErrIdentifier = errors.New("an identifier has 1 to 64 letters, digits and hyphens, and does not begin with a hyphen")
	// ErrName is a name that no object of a recording has.
	ErrName = errors.New("an object is named <session>/<8 digits>.seg, <session>/<8 digits>.sig, <session>/journal-<8 digits> or <session>.rec")
)

// CheckIdentifier says whether a session's or request's identifier can stand in a
// recording, and in the name of its objects.
func CheckIdentifier(id string) error {
	if !identifier.MatchString(id) {
		return fmt.Errorf("%q: %w", id, ErrIdentifier)
	}
	return nil
}

// String is the object's name.
func (n Name) String() string {
	switch n.Kind {
	case KindLegacy:
		return n.Session + legacyExtension
	case KindJournal:
		return fmt.Sprintf("%s/%s%0*d", n.Session, journalPrefix, digits, n.Number)
	case KindSegment, KindSignature:
	}
	return fmt.Sprintf("%s/%0*d.%s", n.Session, digits, n.Number, n.Kind)
}

// SegmentName is the name of a session's segment, from 1.
func SegmentName(session string, number int) string {
	return Name{session, KindSegment, number}.String()
}

// SignatureName is the name of the signature over a session's segment.
func SignatureName(session string, number int) string {
	return Name{session, KindSignature, number}.String()
}

// JournalName is the name of a session's open segment.
func JournalName(session string, number int) string {
	return Name{session, KindJournal, number}.String()
}

// ParseName takes an object's name apart. Only names that String makes pass: no path
// that leaves the task, and none that two spellings have.
func ParseName(name string) (Name, error) {
	n, ok := parse(name)
	if !ok || n.String() != name || CheckIdentifier(n.Session) != nil {
		return Name{}, fmt.Errorf("%.100q: %w", name, ErrName)
	}
	return n, nil
}

func parse(name string) (n Name, ok bool) {
	if session, isLegacy := strings.CutSuffix(name, legacyExtension); isLegacy {
		return Name{Session: session, Kind: KindLegacy}, true
	}
	session, object, found := strings.Cut(name, "/")
	if !found {
		return Name{}, false
	}
	number, kind, found := strings.Cut(object, ".")
	if !found {
		kind = string(KindJournal)
		if number, ok = strings.CutPrefix(object, journalPrefix); !ok {
			return Name{}, false
		}
	}
	n = Name{Session: session, Kind: Kind(kind)}
	switch n.Kind {
	case KindSegment, KindSignature, KindJournal:
	default:
		return Name{}, false
	}
	var err error
	n.Number, err = strconv.Atoi(number)
	return n, err == nil && n.Number >= 1 && n.Number <= maxNumber
}
