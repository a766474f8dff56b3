package record

import (
	"encoding/binary"
	"errors"
)

// Rows reads the rows of one operation of protocol "postgres" out of its Outputs. The
// zero value is ready for use.
type Rows struct{ rest []byte }

// Row is one message that the client got: the values of a row, or COPY data.
type Row struct {
	// Values in the formats of the columns; nil is NULL.
	Values [][]byte
	// Copy is the data of a COPY, as they were sent; nil for a row.
	Copy []byte
}

// The messages that hold rows, and the bytes before their bodies.
const (
	messageRow    = 'D'
	messageCopy   = 'd'
	messageHeader = 5
	// maxRow bounds a message: the largest that the engine takes, and what masks add.
	maxRow = 256 << 20
)

var errRows = errors.New("the recorded rows are not what the protocol sends")

// Add returns the rows that are whole with this block.
func (r *Rows) Add(o Output) ([]Row, error) {
	block, err := o.Messages()
	if err != nil {
		return nil, err
	}
	r.rest = append(r.rest, block...)
	var rows []Row
	at := 0
	for len(r.rest)-at >= messageHeader {
		size := int64(binary.BigEndian.Uint32(r.rest[at+1:])) + 1
		if size < messageHeader || size > maxRow {
			return rows, errRows
		}
		if int64(len(r.rest)-at) < size {
			break
		}
		row, err := readRow(r.rest[at], r.rest[at+messageHeader:at+int(size)])
		if err != nil {
			return rows, err
		}
		rows = append(rows, row)
		at += int(size)
	}
	if at > 0 {
		// Rows lie in the old array.
		r.rest = append([]byte(nil), r.rest[at:]...)
	}
	return rows, nil
}

func readRow(kind byte, body []byte) (Row, error) {
	switch {
	case kind == messageCopy:
		return Row{Copy: body}, nil
	case kind != messageRow || len(body) < 2:
		return Row{}, errRows
	}
	count, rest := int(binary.BigEndian.Uint16(body)), body[2:]
	if 4*count > len(rest) {
		return Row{}, errRows
	}
	row := Row{Values: make([][]byte, count)}
	for i := range row.Values {
		if len(rest) < 4 {
			return Row{}, errRows
		}
		size := int(int32(binary.BigEndian.Uint32(rest)))
		rest = rest[4:]
		if size == -1 {
			continue
		}
		if size < 0 || size > len(rest) {
			return Row{}, errRows
		}
		row.Values[i], rest = rest[:size:size], rest[size:]
	}
	if len(rest) > 0 {
		return Row{}, errRows
	}
	return row, nil
}
