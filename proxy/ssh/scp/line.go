package scp

import (
	"bufio"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxLine bounds a line: a name, and what stands before it.
const maxLine = 4096

// What a line, or an answer, begins with.
const (
	lineFile    = 'C'
	lineFolder  = 'D'
	lineEnd     = 'E'
	lineTimes   = 'T'
	answerOK    = 0
	answerError = 1
	answerFatal = 2
)

var errLine = errors.New("a line that scp does not have")

// line is what a source says next.
type line struct {
	kind byte
	// text is the whole line with its end.
	text []byte
	size int64
	name string
}

// readText reads up to a line feed.
func readText(from *bufio.Reader) ([]byte, error) {
	var text []byte
	for {
		b, err := from.ReadByte()
		if err != nil {
			return nil, err
		}
		if text = append(text, b); b == '\n' {
			return text, nil
		}
		if len(text) >= maxLine {
			return nil, fmt.Errorf("%w: it is too long", errLine)
		}
	}
}

// readLine reads a source's next line.
func readLine(from *bufio.Reader) (l line, err error) {
	if l.text, err = readText(from); err != nil {
		return l, err
	}
	if len(l.text) < 2 {
		return l, errLine
	}
	l.kind = l.text[0]
	body := string(l.text[1 : len(l.text)-1])
	switch l.kind {
	case answerError, answerFatal:
		return l, nil
	case lineEnd:
		if body != "" {
			return l, errLine
		}
		return l, nil
	case lineTimes:
		return l, checkTimes(body)
	case lineFile, lineFolder:
		return l, l.parse(body)
	}
	return l, errLine
}

// parse reads "0644 123 name".
func (l *line) parse(body string) error {
	mode, rest, ok := strings.Cut(body, " ")
	size, name, also := strings.Cut(rest, " ")
	if !ok || !also || len(mode) != 4 || strings.Trim(mode, "01234567") != "" {
		return errLine
	}
	n, err := number(size)
	if err != nil || l.kind == lineFolder && n != 0 {
		return errLine
	}
	l.size, l.name = n, name
	return checkName(name)
}

// checkName refuses a name that is none of a file in a folder.
func checkName(name string) error {
	control := func(r rune) bool { return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 }
	if name == "" || name == "." || name == ".." || strings.Contains(name, "/") || !utf8.ValidString(name) || strings.ContainsFunc(name, control) {
		return fmt.Errorf("%q is no name of a file in a folder", name)
	}
	return nil
}

// checkTimes wants "mtime 0 atime 0".
func checkTimes(body string) error {
	fields := strings.Split(body, " ")
	if len(fields) != 4 {
		return errLine
	}
	for _, f := range fields {
		if _, err := number(f); err != nil {
			return errLine
		}
	}
	return nil
}

// number is decimal digits alone.
func number(text string) (int64, error) {
	if text == "" || len(text) > 18 || strings.Trim(text, "0123456789") != "" {
		return 0, errLine
	}
	return strconv.ParseInt(text, 10, 64)
}
