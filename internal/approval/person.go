package approval

import (
	"slices"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// person is one human with every decision that they made, under whichever name.
type person struct {
	votes     []vote
	requester bool
	// seats are the requirements that the person could fill, in the question's
	// order; voices the username through which.
	seats  []string
	voices map[string]string
}

// group puts decisions together that one human made, and looks for which seats
// they are eligible. The order is that of each person's first vote.
func group(in Input, votes []vote) []person {
	known := links{}
	known.account(in.Identities, in.Question.Requester.Username, in.Question.Requester.UID)
	for _, v := range votes {
		known.account(in.Identities, v.Reviewer, v.UID)
	}
	requester := known.root(in.Identities.of(in.Question.Requester.Username))

	var people []person
	place := map[string]int{}
	for _, v := range votes {
		key := known.root(in.Identities.of(v.Reviewer))
		i, ok := place[key]
		if !ok {
			i = len(people)
			place[key] = i
			people = append(people, person{requester: key == requester, voices: map[string]string{}})
		}
		people[i].votes = append(people[i].votes, v)
	}
	for i := range people {
		people[i].claim(in)
	}
	return people
}

// claim finds the seats that a person could fill.
func (p *person) claim(in Input) {
	if p.requester {
		return
	}
	reviewer := in.Question.Task.Reviewer
	if total(in.Question.Requirements) == 1 {
		// The requester wrote the reviewer's name: it never suffices alone.
		reviewer = ""
	}
	for _, r := range in.Question.Requirements {
		for _, v := range p.votes {
			if v.authorised == Refused || v.late || !human(v.Decision) || !member(r, v.Decision, reviewer, in.Identities) {
				continue
			}
			// An Approve that is authorised is the better voice of the two.
			old := slices.IndexFunc(p.votes, func(o vote) bool { return o.Reviewer == p.voices[r.Name] })
			if old < 0 || !p.votes[old].approves() && v.approves() {
				p.voices[r.Name] = v.Reviewer
			}
		}
		if p.voices[r.Name] != "" {
			p.seats = append(p.seats, r.Name)
		}
	}
}

// member says whether a decision's author may fill a seat: named as a user, by a
// group, or as the task's reviewer.
func member(r v1alpha1.ReviewRequirement, d v1alpha1.Decision, reviewer string, ids Identities) bool {
	if slices.Contains(r.Users, d.Reviewer) {
		return true
	}
	if slices.ContainsFunc(r.Groups, func(g string) bool { return slices.Contains(d.Groups, g) }) {
		return true
	}
	return r.FromTask == v1alpha1.FromTaskReviewer && reviewer != "" && ids.same(reviewer, d.Reviewer)
}

func (v vote) approves() bool {
	return v.Verdict == v1alpha1.VerdictApprove && v.authorised == Allowed && !v.late
}

func (p person) has(reviewer string) bool {
	return slices.ContainsFunc(p.votes, func(v vote) bool { return v.Reviewer == reviewer })
}

// eligible says whether the person could fill any seat.
func (p person) eligible() bool { return len(p.seats) > 0 }

// denial is the person's first Deny with that authorisation, or nil.
func (p person) denial(a Authorisation) *vote {
	for i, v := range p.votes {
		if v.Verdict == v1alpha1.VerdictDeny && v.authorised == a && !v.late && human(v.Decision) {
			return &p.votes[i]
		}
	}
	return nil
}

// voice is the username that speaks for the person in a seat.
func (p person) voice(seat string) string { return p.voices[seat] }

// approvesFor says whether the person's vote may be put into a seat.
func (p person) approvesFor(seat string) bool {
	if p.denial(Allowed) != nil || p.denial(Unknown) != nil {
		return false
	}
	return slices.ContainsFunc(p.votes, func(v vote) bool {
		return v.Reviewer == p.voices[seat] && v.approves()
	})
}

// Eligible says whether the author of a decision could fill any seat of a
// question, and so whether their Deny would end it.
func Eligible(q v1alpha1.Question, d v1alpha1.Decision, ids Identities) bool {
	people := group(Input{Question: q, Identities: ids}, []vote{{Decision: d, authorised: Allowed}})
	return people[0].eligible()
}
