package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"unicode/utf8"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// HoldState is how the review of a held operation stands.
type HoldState struct {
	// Review is the ApprovalReview's name.
	Review string
	// Outcome is empty while it is pending.
	Outcome v1alpha1.Outcome
	// Digest of the operation that was reviewed: an approval releases no other.
	Digest string
	// Message says what is missing, or who decided and in which words.
	Message string
}

// ErrHoldRefused is a hold that the manager does not take: too many are open, the text
// is too long, the request is over. Its text is fit for the client.
var ErrHoldRefused = errors.New("the operation cannot be held")

const (
	// MaxHeldText is the most of an operation, text and values together as a review stores
	// them, in bytes. What is longer is refused, not held.
	MaxHeldText = 16 << 10
	// MaxHeld is the most of a held operation on the wire, in bytes.
	MaxHeld = 60 << 10
)

var (
	heldIDPattern = regexp.MustCompile(`^[A-Za-z0-9-]{1,43}/[0-9]{1,19}$`)
	digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// EncodeHeld puts a held operation on the wire, and refuses one that is too large.
func EncodeHeld(held v1alpha1.HeldOperation) ([]byte, error) {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	// A text full of < would be six times as long.
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(held); err != nil {
		return nil, fmt.Errorf("encode a held operation: %w", err)
	}
	if encoded.Len() > MaxHeld {
		return nil, fmt.Errorf("%w: what a review shows of it has %d bytes, and %d fit", ErrHoldRefused, encoded.Len(), MaxHeld)
	}
	return encoded.Bytes(), nil
}

// DecodeHeld reads a held operation from the wire, and refuses one that a review
// could not be made of. The API's schema bounds the rest.
func DecodeHeld(encoded []byte) (v1alpha1.HeldOperation, error) {
	var held v1alpha1.HeldOperation
	if len(encoded) > MaxHeld || !utf8.Valid(encoded) {
		return held, fmt.Errorf("%w: it is too large, or no UTF-8", ErrHoldRefused)
	}
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&held); err != nil {
		return held, fmt.Errorf("%w: it cannot be read: %w", ErrHoldRefused, err)
	}
	return held, CheckHeld(held)
}

// CheckHeld refuses a held operation without a name, or with too much text.
func CheckHeld(held v1alpha1.HeldOperation) error {
	size := len(held.Text)
	for _, value := range held.Values {
		size += len(value)
	}
	switch {
	case !heldIDPattern.MatchString(held.ID), !digestPattern.MatchString(held.Digest), held.Rule == "",
		held.Point != v1alpha1.HoldAtStatement && held.Point != v1alpha1.HoldAtCommit:
		return fmt.Errorf("%w: it has no name, point, rule or digest", ErrHoldRefused)
	case size > MaxHeldText:
		return fmt.Errorf("%w: text and values have %d bytes, and a review shows at most %d", ErrHoldRefused, size, MaxHeldText)
	}
	return nil
}
