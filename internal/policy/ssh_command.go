package policy

import (
	"slices"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// furtherWords is the last word of a pattern that stands for any further words.
const furtherWords = "**"

// MatchCommand says whether a command, by its words, is one of those granted. `*` in a
// word stands for any characters, with two exceptions by which a pattern would grant
// what nobody reads in it: a `*` that begins a word takes no `-`, so that no option can
// stand where an operand is meant; and a word with `*` takes none that climbs by `..`.
// `**` as the last word takes whatever words follow.
func MatchCommand(grants []v1alpha1.CommandGrant, argv []string) bool {
	return slices.ContainsFunc(grants, func(g v1alpha1.CommandGrant) bool { return newCommand(g).matches(argv) })
}

// command is a CommandGrant made for matching.
type command struct {
	words []glob
	// rest takes any further words.
	rest bool
}

func newCommand(g v1alpha1.CommandGrant) command {
	words, rest := g.Argv, false
	if last := len(words) - 1; last >= 0 && words[last] == furtherWords {
		words, rest = words[:last], true
	}
	c := command{rest: rest}
	for _, w := range words {
		c.words = append(c.words, newGlob(w, true))
	}
	return c
}

func (c command) matches(argv []string) bool {
	if len(argv) == 0 || len(argv) < len(c.words) || len(argv) > len(c.words) && !c.rest {
		return false
	}
	for i, w := range c.words {
		text := argv[i]
		if !w.matches(text) || w.starts(anyBytes) && text != "" && text[0] == '-' || w.open() && climbs(text) {
			return false
		}
	}
	return true
}

// covers says whether every command of another grant is provably one of this.
func (c command) covers(other command) bool {
	if len(other.words) < len(c.words) || (len(other.words) > len(c.words) || other.rest) && !c.rest {
		return false
	}
	for i, w := range c.words {
		narrower := other.words[i]
		if !w.covers(narrower) || w.starts(anyBytes) && narrower.starts('-') || w.open() && !narrower.open() && climbs(narrower.text()) {
			return false
		}
	}
	return true
}

// text is a glob without `*` as the text that it stands for.
func (g glob) text() string {
	b := make([]byte, len(g))
	for i, c := range g {
		b[i] = byte(c)
	}
	return string(b)
}

// checkCommand says what is wrong with a grant's words.
func checkCommand(g v1alpha1.CommandGrant) string {
	if len(g.Argv) == 0 || g.Argv[0] == "" {
		return "names no command: name it as the first word"
	}
	for i, word := range g.Argv {
		switch {
		case word == furtherWords && i < len(g.Argv)-1:
			return "`**` stands for any further words: it can be the last word only"
		case newGlob(word, true).open() && word != furtherWords && climbs(word):
			return "a word with `*` takes no `..`: write the path as it is"
		}
	}
	return ""
}
