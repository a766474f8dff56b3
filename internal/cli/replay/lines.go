package replay

import (
	"bytes"
	"regexp"

	"github.com/sallyport/sallyport/internal/transcript"
)

// maxLine bounds a line that a terminal was sent and that does not end, in bytes.
const maxLine = 4 << 10

// sequence is what transcript.Filter lets through beside text.
var sequence = regexp.MustCompile(`\x1b\[[0-9;:?]*[@-~]|\x1b[^\[]`)

// Lines makes lines of text of what a terminal was sent, in any number of pieces: without
// what moves and colours them. They still are another's words. The zero value is ready.
type Lines struct {
	filter  transcript.Filter
	pending []byte
}

// Add returns the lines that are whole with this output, and every longer piece.
func (l *Lines) Add(output []byte) []string {
	l.pending = append(l.pending, sequence.ReplaceAll(l.filter.Write(output), nil)...)
	var whole []string
	for {
		end := bytes.IndexByte(l.pending, '\n')
		next := end + 1
		if end < 0 && len(l.pending) > maxLine {
			end, next = maxLine, maxLine
		}
		if end < 0 {
			return whole
		}
		whole = append(whole, string(bytes.TrimRight(l.pending[:end], "\r")))
		l.pending = append(l.pending[:0], l.pending[next:]...)
	}
}

// Rest returns the line that has not ended yet, if there is one, and forgets it.
func (l *Lines) Rest() []string {
	if len(l.pending) == 0 {
		return nil
	}
	rest := string(bytes.TrimRight(l.pending, "\r"))
	l.pending = l.pending[:0]
	return []string{rest}
}
