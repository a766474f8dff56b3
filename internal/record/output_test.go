package record_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/internal/record"
)

func message(kind byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4)), body...)
}

// outputs cuts messages into blocks.
func outputs(t *testing.T, messages []byte, size int) []record.Output {
	t.Helper()
	var list []record.Output
	for len(messages) > 0 {
		block := messages[:min(size, len(messages))]
		messages = messages[len(block):]
		output := record.Output{Operation: 1, Bytes: int64(len(block)), Block: block}
		if len(list)%2 == 1 { // as before 1.0
			output.Block, output.Data = nil, compressed(t, block)
		}
		list = append(list, output)
	}
	return list
}

func compressed(t testing.TB, block []byte) []byte {
	t.Helper()
	frame, err := record.AppendFrame(nil, block)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

func TestRecordedRowsAreReadAsTheyWereSent(t *testing.T) {
	t.Parallel()
	row := message('D', []byte("\x00\x03\x00\x00\x00\x02ab\xff\xff\xff\xff\x00\x00\x00\x00"))
	want := []record.Row{
		{Values: [][]byte{[]byte("ab"), nil, {}}}, {Values: [][]byte{[]byte("ab"), nil, {}}}, {Copy: []byte("1\tx\n")},
	}
	messages := append(bytes.Repeat(row, 2), message('d', []byte("1\tx\n"))...)
	for size := 1; size <= len(messages); size++ {
		var rows record.Rows
		var got []record.Row
		for _, output := range outputs(t, messages, size) {
			more, err := rows.Add(output)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, more...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("in blocks of %d bytes: %s", size, diff)
		}
	}
}

func TestREC4_ABlockThatLiesIsNotBelieved(t *testing.T) {
	t.Parallel()
	huge := compressed(t, make([]byte, record.MaxBlock))
	for name, output := range map[string]record.Output{
		"no zstd":           {Bytes: 3, Data: []byte("abc")},
		"another size":      {Bytes: 3, Data: huge},
		"too large":         {Bytes: 2 * record.MaxBlock, Data: append(huge, huge...)},
		"another message":   outputs(t, message('Z', []byte("I")), 100)[0],
		"negative length":   outputs(t, []byte("D\xff\xff\xff\xff"), 100)[0],
		"values too many":   outputs(t, message('D', []byte("\xff\xff")), 100)[0],
		"value too long":    outputs(t, message('D', []byte("\x00\x01\x00\x00\x00\x09a")), 100)[0],
		"bytes after a row": outputs(t, message('D', []byte("\x00\x00a")), 100)[0],
	} {
		var rows record.Rows
		if got, err := rows.Add(output); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestREC4_RowsThatAreBegunAndNeverEndedTakeBoundedMemory(t *testing.T) {
	t.Parallel()
	begun := record.Output{Operation: 1, Bytes: 64 << 10, Block: make([]byte, 64<<10)}
	copy(begun.Block, "D\x0f\xff\xff\xff")
	room := &record.Room{}
	room.Take(record.MaxHeld - 100<<10)
	first, second := record.Rows{Room: room}, record.Rows{Room: room}
	if _, err := first.Add(begun); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := second.Add(begun); err == nil {
			t.Fatal("held without a bound")
		}
	}
	first.Forget()
	third := record.Rows{Room: room}
	if _, err := third.Add(begun); err != nil {
		t.Error("what was given back is not there:", err)
	}
}
