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
		data, err := record.Compress(nil, block)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, record.Output{Operation: 1, Bytes: int64(len(block)), Data: data})
	}
	return list
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
	huge, err := record.Compress(nil, make([]byte, record.MaxBlock))
	if err != nil {
		t.Fatal(err)
	}
	for name, output := range map[string]record.Output{
		"no zstd":           {Bytes: 3, Data: []byte("abc")},
		"another size":      {Bytes: 3, Data: huge},
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
	if _, err := record.Compress(nil, make([]byte, record.MaxBlock+1)); err == nil {
		t.Error("a block over the limit was compressed")
	}
}

func BenchmarkCompress(b *testing.B) {
	row := message('D', []byte("\x00\x02\x00\x00\x00\x0812345678\x00\x00\x00\x1dcustomer 1234567 of the world"))
	block := bytes.Repeat(row, record.MaxBlock/len(row))
	for i := range block {
		if i%7 == 0 {
			block[i] ^= byte(i * 31)
		}
	}
	b.SetBytes(int64(len(block)))
	var out []byte
	for b.Loop() {
		var err error
		if out, err = record.Compress(out[:0], block); err != nil {
			b.Fatal(err)
		}
	}
}
