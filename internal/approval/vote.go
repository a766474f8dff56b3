package approval

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Why a decision does not count.
const (
	whyNotAllowed = "may not review this policy: needs RBAC verb review"
	whyRequester  = "nobody reviews their own request"
	whyNotPerson  = "not a person: service accounts, nodes and system users have no vote"
	whyNoSeat     = "in none of the review's requirements"
	whyOvershoot  = "the seats are filled already"
	whyAlsoDenied = "the same person also denied"
	whyLate       = "came after the deadline"
)

// vote is a decision with what is known of it beside.
type vote struct {
	v1alpha1.Decision
	at         time.Time
	authorised Authorisation
	late       bool
}

// latch gives each decision its time: the one already in the status, or now. Held
// are the reviewers whose authorisation is unknown.
func latch(in Input) (votes []vote, held []string) {
	latched := make(map[string]v1alpha1.LatchedDecision, len(in.Latched))
	for _, l := range in.Latched {
		latched[l.Reviewer] = l
	}
	for _, d := range in.Decisions {
		v := vote{Decision: d, at: in.Now, authorised: in.Authorised[d.Reviewer]}
		if l, ok := latched[d.Reviewer]; ok {
			v.at, v.authorised = l.At.Time, Allowed
			if l.Why == whyNotAllowed {
				v.authorised = Refused
			}
			if l.Verdict == v1alpha1.VerdictDeny {
				v.Verdict = v1alpha1.VerdictDeny
			}
		}
		v.late = !v.at.Before(in.Question.ExpiresAt.Time)
		if v.authorised == Unknown {
			held = append(held, d.Reviewer)
		}
		votes = append(votes, v)
	}
	slices.SortFunc(votes, func(a, b vote) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return strings.Compare(a.Reviewer, b.Reviewer)
	})
	slices.Sort(held)
	return votes, held
}

// denials says who ends the review by a Deny, in which words, and whether there is
// somebody whose Deny might, once the authoriser answers.
func denials(people []person) (denial string, unknown bool) {
	for _, p := range people {
		if !p.eligible() {
			continue
		}
		if v := p.denial(Allowed); v != nil && denial == "" {
			denial = strings.TrimSuffix("denied by "+v.Reviewer+": "+v.Message, ": ")
		}
		unknown = unknown || p.denial(Unknown) != nil
	}
	return denial, unknown
}

// describe says of each decision whether it counts, for which seat, or why not.
// Decisions whose authorisation is unknown are not latched.
func describe(votes []vote, people []person, seated seating) []v1alpha1.LatchedDecision {
	var out []v1alpha1.LatchedDecision
	for _, v := range votes {
		if v.authorised == Unknown {
			continue
		}
		l := v1alpha1.LatchedDecision{Reviewer: v.Reviewer, At: metav1.NewTime(v.at), Verdict: v.Verdict}
		i := slices.IndexFunc(people, func(p person) bool { return p.has(v.Reviewer) })
		l.Seat, l.Why = judge(v, people[i], seated.seatOf(i))
		l.Counted = l.Why == ""
		out = append(out, l)
	}
	return out
}

// judge gives the seat that a vote counts for, or why it counts for none.
func judge(v vote, p person, seat string) (counts, why string) {
	switch {
	case v.authorised == Refused:
		return "", whyNotAllowed
	case v.late:
		return "", whyLate
	case p.requester:
		return "", whyRequester
	case !human(v.Decision):
		return "", whyNotPerson
	case !p.eligible():
		return "", whyNoSeat
	case v.Verdict == v1alpha1.VerdictDeny:
		return p.seats[0], ""
	case p.denial(Allowed) != nil || p.denial(Unknown) != nil:
		return "", whyAlsoDenied
	case seat == "":
		return "", whyOvershoot
	}
	if voice := p.voice(seat); voice != v.Reviewer {
		return "", "the same person as " + voice + ": one human, one vote"
	}
	return seat, ""
}
