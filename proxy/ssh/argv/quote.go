package argv

import "strings"

// Quote writes words as a line that any POSIX shell reads as these words. A word must
// not hold NUL.
func Quote(argv []string) string {
	var line strings.Builder
	for i, w := range argv {
		if i > 0 {
			line.WriteByte(' ')
		}
		if plain(w) && (i > 0 || begins(w)) {
			line.WriteString(w)
			continue
		}
		line.WriteString("'" + strings.ReplaceAll(w, "'", `'\''`) + "'")
	}
	return line.String()
}

// plain says whether no shell sees anything in a word.
func plain(w string) bool {
	for i := range len(w) {
		c := w[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte("/._-+,:@%", c) < 0 {
			return false
		}
	}
	return w != ""
}

// begins says whether a word without quotes may begin a line.
func begins(w string) bool { return w[0] != '-' && w[0] != '+' && !reserved[w] && !keywords[w] }

// keywords of the POSIX grammar, which mean something only where they are not quoted.
var keywords = map[string]bool{
	"if": true, "then": true, "else": true, "elif": true, "fi": true, "do": true, "done": true,
	"case": true, "esac": true, "while": true, "until": true, "for": true,
}
