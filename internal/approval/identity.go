package approval

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Identities knows which usernames are one person. The zero value knows none
// beside those that fold to the same name.
type Identities struct {
	person map[string]string // folded username to person
}

// NewIdentities takes usernames by person; a person's own name is one of them. A
// username of two people is an error.
func NewIdentities(usernames map[string][]string) (Identities, error) {
	ids := Identities{person: map[string]string{}}
	for name, aliases := range usernames {
		for _, username := range append([]string{name}, aliases...) {
			key := fold(username)
			if key == "" {
				return Identities{}, fmt.Errorf("identities: person %q has an empty username", name)
			}
			if other, taken := ids.person[key]; taken && other != name {
				pair := []string{name, other}
				slices.Sort(pair)
				return Identities{}, fmt.Errorf("identities: %q is a username of both %q and %q: give it to one", username, pair[0], pair[1])
			}
			ids.person[key] = name
		}
	}
	return ids, nil
}

// of is the person behind a username, as a key.
func (ids Identities) of(username string) string {
	key := fold(username)
	if person, ok := ids.person[key]; ok {
		key = fold(person)
	}
	return "name:" + key
}

// same says whether two usernames are one person by what the table knows.
func (ids Identities) same(a, b string) bool { return ids.of(a) == ids.of(b) }

// fold makes usernames that a human reads as one the same: case, surrounding
// blanks, and compatibility forms (Unicode chapter 3.13, UAX 15). It errs towards
// one person, which only ever takes votes away.
func fold(username string) string {
	folder := cases.Fold()
	return norm.NFKC.String(folder.String(norm.NFKC.String(strings.TrimSpace(username))))
}

// human says whether a decision is a person's. Usernames that begin with system:
// are Kubernetes' own: service accounts, nodes, components, the anonymous.
func human(d v1alpha1.Decision) bool {
	return !strings.HasPrefix(fold(d.Reviewer), "system:") &&
		!slices.Contains(d.Groups, "system:serviceaccounts") &&
		!slices.Contains(d.Groups, "system:nodes") &&
		!slices.Contains(d.Groups, "system:unauthenticated")
}

// links joins what is known to be one person: usernames and UIDs.
type links map[string]string

func (l links) root(key string) string {
	for l[key] != "" && l[key] != key {
		key = l[key]
	}
	return key
}

func (l links) join(a, b string) {
	a, b = l.root(a), l.root(b)
	l[max(a, b)] = min(a, b)
}

// account ties a username to its UID, where the authenticator gives one.
func (l links) account(ids Identities, username, uid string) {
	if uid != "" {
		l.join(ids.of(username), "uid:"+uid)
	}
}
