package review

import (
	"fmt"
	"strings"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Name is what a reviewer answers to: the request's name, or, of a held operation, the
// review's own.
func Name(r *v1alpha1.ApprovalReview) string {
	if r.Spec.Question.Subject.Held != nil {
		return r.Name
	}
	return r.Spec.Question.Subject.Request.Name
}

// What says in one line what is asked: the reason of a request, the text of a
// statement, what a transaction did.
func What(r *v1alpha1.ApprovalReview) string {
	held := r.Spec.Question.Subject.Held
	switch {
	case held == nil:
		return r.Spec.Question.Reason
	case held.Point != v1alpha1.HoldAtCommit:
		return strings.Join(strings.Fields(held.Text), " ")
	}
	var did []string
	for _, e := range held.Effects {
		did = append(did, e.Relation+" "+Changes(e))
	}
	return strings.TrimSpace("COMMIT of " + strings.Join(did, "; "))
}

// Changes says what a transaction did to a relation: "3 updated, 1 deleted".
func Changes(e v1alpha1.RelationEffect) string {
	var did []string
	for _, change := range []struct {
		rows int64
		verb string
	}{{e.Inserted, "inserted"}, {e.Updated, "updated"}, {e.Deleted, "deleted"}} {
		if change.rows > 0 {
			did = append(did, fmt.Sprintf("%d %s", change.rows, change.verb))
		}
	}
	if len(did) == 0 {
		return "no rows"
	}
	return strings.Join(did, ", ")
}
