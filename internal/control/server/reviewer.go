package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxReviews is how many TokenReviews may be under way at once.
const maxReviews = 32

// errNotAuthentic is a token that the API server does not vouch for with the
// audience asked for.
var errNotAuthentic = errors.New("the token is not valid for this audience")

// reviewer asks the API server whose token it is.
type reviewer struct {
	reviews TokenReviews
	timeout time.Duration
	slots   chan struct{}
}

func newReviewer(reviews TokenReviews, timeout time.Duration) *reviewer {
	return &reviewer{reviews: reviews, timeout: timeout, slots: make(chan struct{}, maxReviews)}
}

// review returns the token's user, or errNotAuthentic; any other error means that the
// API server could not be asked.
func (r *reviewer) review(ctx context.Context, token, audience string) (authenticationv1.UserInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return authenticationv1.UserInfo{}, fmt.Errorf("wait for a TokenReview: %w", ctx.Err())
	}
	answer, err := r.reviews.Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{audience}},
	}, metav1.CreateOptions{})
	if err != nil {
		return authenticationv1.UserInfo{}, fmt.Errorf("ask for a TokenReview: %w", err)
	}
	status := answer.Status
	// An authenticator that knows no audiences returns none: then the token is the
	// API server's own, and proves nothing here.
	if !status.Authenticated || status.Error != "" || status.User.Username == "" || !slices.Contains(status.Audiences, audience) {
		return authenticationv1.UserInfo{}, errNotAuthentic
	}
	return status.User, nil
}
