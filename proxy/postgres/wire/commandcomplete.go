package wire

import (
	"bytes"
	"strconv"
	"strings"
)

// CommandComplete is the tag of a statement that ran: "INSERT 0 5".
type CommandComplete struct{ Tag string }

// ReadCommandComplete reads the body of a CommandComplete.
func ReadCommandComplete(raw []byte) (CommandComplete, error) {
	b := body{message: "CommandComplete", rest: raw}
	if bytes.IndexByte(raw, 0) != len(raw)-1 {
		b.fail("string without end")
	}
	c := CommandComplete{Tag: b.string()}
	return c, b.done()
}

// Rows is the number that ends the tag, 0 where there is none.
func (c CommandComplete) Rows() int64 {
	n, err := strconv.ParseInt(c.Tag[strings.LastIndexByte(c.Tag, ' ')+1:], 10, 64)
	if err != nil {
		return 0
	}
	return n
}
