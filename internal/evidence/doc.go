// Package evidence puts what is to be known of one request into a bundle, a tar file
// that stands by itself, and checks such a bundle: offline, with nothing but the public
// key that recordings are signed with. docs/evidence.md specifies it.
package evidence

import (
	"crypto/ed25519"
	"time"

	"filippo.io/age"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/record/store"
)

// Material is what a bundle is made of, as its maker read it from the cluster: the
// request first, so that what its heads say is in the recordings.
type Material struct {
	Request *v1alpha1.TaskAccessRequest
	// Policy and Target as they are now; nil where they are gone, or could not be read,
	// which Notes then says.
	Policy *v1alpha1.AccessPolicy
	Target *v1alpha1.AccessTarget
	// Reviews of the request and of its held operations.
	Reviews []v1alpha1.ApprovalReview
	// Events that the cluster still has of the request and its reviews.
	Events []Event
	// Recordings of the request.
	Recordings store.Reader
	// Keys that recordings are signed with, as the cluster publishes them.
	Keys []ed25519.PublicKey
	// Identities open encrypted recordings, so that the report can count in them.
	Identities []age.Identity
	// Notes say what is missing, and why.
	Notes []string
	// Created is the time of the bundle.
	Created time.Time
}

// Event is an event of the cluster.
type Event struct {
	Time    time.Time `json:"time"`
	Object  string    `json:"object"`
	Type    string    `json:"type"`
	Reason  string    `json:"reason"`
	Message string    `json:"message"`
}
