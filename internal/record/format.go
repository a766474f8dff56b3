package record

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/sallyport/sallyport/internal/record/store"
)

// Version of the format that Writer writes: a folder of segments.
const Version = "1.0"

// fileVersions are those before, which were one file per session.
var fileVersions = []string{"0.1", "0.2"}

const (
	formatName = "sallyport-recording"
	// The domains keep a header's hash, an event's hash, hashes of other versions and
	// of other programs apart. The version stands between the two parts.
	domain       = "sallyport/recording/"
	headerDomain = "/header\x00"
	eventDomain  = "/event\x00"

	// hashPrefix and the hash close every event's line; the hash covers all before.
	hashPrefix = `,"hash":"`
	hashSuffix = `"}`
	hashLength = len(hashPrefix) + 2*sha256.Size + len(hashSuffix)

	// maxLine bounds what a reader holds: an event's 64 KiB of text in JSON's
	// longest spelling (\u0000), and the rest of it.
	maxLine = 1 << 20
	// maxText is the bytes of text and values in one event.
	maxText = 64 << 10

	// maxSegments is as many as a name's digits hold.
	maxSegments = 99_999_999
	// maxPlain and maxObject bound what a reader holds of one segment: its events, and
	// the object.
	maxPlain  = 4 << 20
	maxObject = maxPlain + 64<<10
)

// Header is the first line of a recording; the chain begins with its hash.
type Header struct {
	Format     string `json:"format"`
	Version    string `json:"version"`
	Session    string `json:"session"`
	RequestUID string `json:"requestUID"`
}

// Hash is a link of the chain.
type Hash [sha256.Size]byte

// String is the hash in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

func headerHash(version string, line []byte) Hash {
	return sum(domain+version+headerDomain, nil, line)
}

func eventHash(version string, previous Hash, covered []byte) Hash {
	return sum(domain+version+eventDomain, previous[:], covered)
}

func sum(domain string, previous, covered []byte) Hash {
	h := sha256.New()
	h.Write([]byte(domain))
	h.Write(previous)
	h.Write(covered)
	return Hash(h.Sum(nil))
}

// ErrIdentifier is a session or request that no recording can be named by.
var ErrIdentifier = store.ErrIdentifier

// CheckIdentifier says whether a session's or request's identifier can stand in a
// recording, and in the name of its file.
func CheckIdentifier(id string) error { return store.CheckIdentifier(id) }

func isHash(text string) bool {
	if len(text) != 2*sha256.Size {
		return false
	}
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
