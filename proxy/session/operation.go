package session

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/sallyport/sallyport/internal/policy"
)

// Operation is what Admit is asked: the words that policies judge, and the text and
// values that would run.
type Operation struct {
	Action policy.Action
	// Text and Values are what runs: an approval releases these very bytes.
	Text   string
	Values []policy.Value
	// Shown is the text for recording and reviewers, without passwords; "" is Text.
	Shown string
	// Literals are the values for recording and reviewers, as SQL writes them: 'text',
	// NULL, '\x00' for what is no text.
	Literals []string
	// InTransaction says that an explicit transaction is open.
	InTransaction bool
	// PrepareOnly says that nothing of it runs yet: what a rule would hold passes, and is
	// held when it runs.
	PrepareOnly bool
	// Hold is how the engine lives through the wait; nil denies what would be held.
	Hold *Hold
}

func (o *Operation) shown() string {
	if o.Shown != "" {
		return o.Shown
	}
	return o.Text
}

// digest of what an approval releases: SHA-256, in hex, over text and values, each
// behind its length in eight bytes; before a value's stands whether it is NULL and
// whether it is binary.
func (o *Operation) digest() string {
	buffer := binary.BigEndian.AppendUint64(nil, uint64(len(o.Text)))
	buffer = append(buffer, o.Text...)
	for _, value := range o.Values {
		buffer = append(buffer, bit(value.Null), bit(value.Binary))
		buffer = binary.BigEndian.AppendUint64(buffer, uint64(len(value.Text)))
		buffer = append(buffer, value.Text...)
	}
	sum := sha256.Sum256(buffer)
	return hex.EncodeToString(sum[:])
}

func bit(set bool) byte {
	if set {
		return 1
	}
	return 0
}
