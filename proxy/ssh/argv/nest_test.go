package argv

import (
	"strings"
	"testing"
)

// The grammar's parser calls itself for what nests: 64 KiB of "if " would take 64 MiB of
// stack, for each channel that asks at once.
func TestALineThatNestsIsRefusedBeforeTheGrammarSeesIt(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"if ", "while\t", "until ", "if\n", "  if ", "true; while ", "true | until ", "for a in ", "case if in "} {
		line := strings.Repeat(word, longestLine/len(word))
		if _, refusal := scan(line); refusal == nil {
			t.Errorf("%q, many times, is handed to the grammar", word)
		}
	}
	for _, line := range []string{"echo if", "echo; echo while", "'if' x", `\if x`, "iffy", "if/x"} {
		if _, refusal := scan(line); refusal != nil {
			t.Errorf("%q: %v", line, refusal)
		}
	}
}
