package record

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Statement is what a segment is, in the words that are signed.
type Statement struct {
	RequestUID string `json:"requestUID"`
	Session    string `json:"session"`
	// Segment from 1; its events are First to Last.
	Segment int   `json:"segment"`
	First   int64 `json:"first"`
	Last    int64 `json:"last"`
	// Bytes of the object; Hash of all of them, and that of the segment before, in hex.
	Bytes    int64  `json:"bytes"`
	Hash     string `json:"hash"`
	Previous string `json:"previous"`
	// Complete says that its last event is session.end.
	Complete bool `json:"complete"`
}

// Signature is a statement with the word of who holds the key. Stored as JSON beside
// the segment.
type Signature struct {
	Statement
	Link

	// Time of signing, in whole seconds, UTC.
	Time time.Time `json:"time"`
	// Key that signed, by KeyID.
	Key string `json:"key"`
	// Signature is Ed25519 (RFC 8032) over the domain and the fields before, in JSON.
	Signature []byte `json:"signature"`
}

// Link ties a signature to the segment that was signed before it, where others that
// nobody signed lie between them: what their headers say the signer has not seen. Zero
// where there is none between: Previous says it then.
type Link struct {
	After     int    `json:"after,omitempty"`
	AfterHash string `json:"afterHash,omitempty"`
}

// sealDomain keeps what is signed here apart from whatever else a key may sign.
const sealDomain = domain + Version + "/seal\x00"

// maxSignature bounds a signature's JSON, in bytes.
const maxSignature = 4 << 10

// ErrSignature is a signature that does not hold.
var ErrSignature = errors.New("the signature does not hold")

// ErrKey is a signature by a key that is not among those that are trusted.
var ErrKey = errors.New("signed by a key that is not trusted here")

// KeyID names a public key: the first 16 hex digits of its SHA-256.
func KeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:8])
}

// Validate says what no segment can be.
func (s Statement) Validate() error {
	if err := errors.Join(CheckIdentifier(s.Session), CheckIdentifier(s.RequestUID)); err != nil {
		return err
	}
	switch {
	case s.Segment < 1 || s.Segment > maxSegments:
		return fmt.Errorf("segment %d is none of 1 to %d", s.Segment, maxSegments)
	case s.First < 1 || s.Last < s.First || (s.Segment == 1) != (s.First == 1):
		return fmt.Errorf("segment %d cannot hold events %d to %d", s.Segment, s.First, s.Last)
	case s.Bytes < 1 || s.Bytes > maxObject:
		return fmt.Errorf("segment %d cannot have %d bytes", s.Segment, s.Bytes)
	case !isHash(s.Hash) || !isHash(s.Previous) || (s.Segment == 1) != (s.Previous == Hash{}.String()):
		return errors.New("a hash has 64 lower-case hex digits; only of what is before segment 1 are they zeros")
	}
	return nil
}

// Sign signs a statement.
func Sign(key ed25519.PrivateKey, statement Statement, now time.Time) Signature {
	return SignLinked(key, statement, Link{}, now)
}

// SignLinked signs a statement about a segment that others lie before, unsigned.
func SignLinked(key ed25519.PrivateKey, statement Statement, link Link, now time.Time) Signature {
	public, _ := key.Public().(ed25519.PublicKey)
	s := Signature{Statement: statement, Link: link, Time: now.UTC().Truncate(time.Second), Key: KeyID(public)}
	s.Signature = ed25519.Sign(key, s.signed())
	return s
}

// Check says whether one of the keys made the signature: ErrKey or ErrSignature.
func (s Signature) Check(keys []ed25519.PublicKey) error {
	for _, key := range keys {
		if len(key) != ed25519.PublicKeySize || KeyID(key) != s.Key {
			continue
		}
		if !ed25519.Verify(key, s.signed(), s.Signature) {
			return fmt.Errorf("segment %d: %w", s.Segment, ErrSignature)
		}
		return nil
	}
	return fmt.Errorf("segment %d, key %s: %w", s.Segment, PrintableLine(s.Key), ErrKey)
}

// signed is the bytes that are signed: the domain, and the JSON of every field but the
// signature, in their order. Identifiers and hashes need no escaping.
func (s Signature) signed() []byte {
	text, _ := json.Marshal(struct { // strings, numbers and a time: nothing can fail
		Statement
		Link

		Time time.Time `json:"time"`
		Key  string    `json:"key"`
	}{s.Statement, s.Link, s.Time.UTC(), s.Key})
	return append([]byte(sealDomain), text...)
}

// Encode is the signature as it is stored.
func (s Signature) Encode() []byte {
	text, _ := json.Marshal(s) // as signed
	return append(text, '\n')
}

// ParseSignature reads what Encode wrote, and nothing else.
func ParseSignature(data []byte) (Signature, error) {
	var s Signature
	if len(data) > maxSignature {
		return s, fmt.Errorf("a signature of %d bytes, more than %d", len(data), maxSignature)
	}
	if err := strict(data, &s); err != nil {
		return s, fmt.Errorf("no signature: %w", err)
	}
	if !bytes.Equal(s.Encode(), data) {
		return s, errors.New("no signature: not the spelling that is written")
	}
	if s.After < 0 || s.After >= s.Segment || (s.After > 0) != isHash(s.AfterHash) || s.After == 0 && s.AfterHash != "" {
		return s, fmt.Errorf("no signature: segment %d cannot come after segment %d", s.Segment, s.After)
	}
	return s, s.Validate()
}
