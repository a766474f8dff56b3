package record

import (
	"encoding/binary"
	"errors"
)

// Rows reads the rows of one operation of protocol "postgres" out of its Outputs. The
// zero value is ready for use.
type Rows struct {
	// Room is shared by the Rows of a recording; nil is none that is shared.
	Room *Room

	rest   []byte
	failed error
}

// Room bounds what the Rows of a recording hold together of messages that are not whole
// yet: one that no proxy has written may begin many, and end none, in a file that is small.
type Room struct{ held int }

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
	// maxHeld bounds what a Room has.
	maxHeld = maxRow + maxRow/4
)

var (
	errRows = errors.New("the recorded rows are not what the protocol sends")
	errHeld = errors.New("too many recorded rows were begun and not ended")
)

// Add returns the rows that are whole with this block. After an error there are no more.
func (r *Rows) Add(o Output) ([]Row, error) {
	if r.failed != nil {
		return nil, r.failed
	}
	if r.Room == nil {
		r.Room = &Room{}
	}
	r.Room.held -= len(r.rest)
	rows, err := r.add(o)
	if r.failed = err; err != nil {
		r.rest = nil
	}
	r.Room.held += len(r.rest)
	return rows, err
}

// Forget gives back the room for what was not ended.
func (r *Rows) Forget() {
	if r.Room != nil {
		r.Room.held -= len(r.rest)
	}
	r.rest = nil
}

func (r *Rows) add(o Output) ([]Row, error) {
	block, err := o.Messages()
	if err != nil {
		return nil, err
	}
	if r.Room.held+len(r.rest)+len(block) > maxHeld {
		return nil, errHeld
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
