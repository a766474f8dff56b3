package approval

import (
	"fmt"
	"strings"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// seating is who sits where: one entry a seat, requirement by requirement.
type seating []seat

type seat struct {
	requirement string
	person      int // index, or -1
}

// fill puts people into seats, each into one at most, so that as many seats as
// possible are filled: a maximum bipartite matching (augmenting paths, Kuhn 1955).
// Seats that come first in the policy are filled first.
func fill(requirements []v1alpha1.ReviewRequirement, people []person) seating {
	var seats seating
	for _, r := range requirements {
		for range places(r) {
			seats = append(seats, seat{requirement: r.Name, person: -1})
		}
	}
	sits := make(map[int]int, len(people)) // person to seat
	for s := range seats {
		seats.augment(s, people, sits, make([]bool, len(people)))
	}
	return seats
}

// augment finds somebody for a seat, if need be by moving others along.
func (seats seating) augment(s int, people []person, sits map[int]int, tried []bool) bool {
	for i, p := range people {
		if tried[i] || !p.approvesFor(seats[s].requirement) {
			continue
		}
		tried[i] = true
		if at, taken := sits[i]; taken && !seats.augment(at, people, sits, tried) {
			continue
		}
		sits[i], seats[s].person = s, i
		return true
	}
	return false
}

// places is how many people a requirement asks for.
func places(r v1alpha1.ReviewRequirement) int { return int(max(r.Count, 1)) }

func total(requirements []v1alpha1.ReviewRequirement) int {
	n := 0
	for _, r := range requirements {
		n += places(r)
	}
	return n
}

// complete says that there are seats, and that each is filled. No seats at all is
// a question that nobody can answer, never an approval.
func (seats seating) complete() bool { return len(seats) > 0 && len(seats.missing()) == 0 }

// seatOf is the requirement that a person fills.
func (seats seating) seatOf(person int) string {
	for _, s := range seats {
		if s.person == person {
			return s.requirement
		}
	}
	return ""
}

// missing says which seats are empty: "1 of dba".
func (seats seating) missing() []string {
	if len(seats) == 0 {
		return []string{"a requirement: nobody can approve this review"}
	}
	var out []string
	for i := 0; i < len(seats); {
		name, empty := seats[i].requirement, 0
		for ; i < len(seats) && seats[i].requirement == name; i++ {
			if seats[i].person < 0 {
				empty++
			}
		}
		if empty > 0 {
			out = append(out, fmt.Sprintf("%d of %s", empty, name))
		}
	}
	return out
}

// words names who sits where: "approved by alice (dba), carol (task-reviewer)".
func (seats seating) words(people []person) string {
	names := make([]string, 0, len(seats))
	for _, s := range seats {
		names = append(names, fmt.Sprintf("%s (%s)", people[s.person].voice(s.requirement), s.requirement))
	}
	return "approved by " + strings.Join(names, ", ")
}

// pending says what a review waits for.
func pending(missing, held []string) string {
	message := "needs " + strings.Join(missing, ", ")
	if len(missing) == 0 {
		message = "every seat is filled"
	}
	if len(held) > 0 {
		message += "; held while the authoriser cannot say whether " + strings.Join(held, ", ") + " may review"
	}
	return message
}
