package control

import (
	"errors"

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

// MaxHeldText is the most of an operation, text and values together as a review stores
// them, in bytes. What is longer is refused, not held.
const MaxHeldText = 16 << 10
