package postgres

import (
	"bytes"
	"testing"

	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

func TestPG8_MessagesReachTheTargetInTheirOrderWhateverTheirSizes(t *testing.T) {
	t.Parallel()
	sizes := []int{1, wire.BufferSize/2 - 1, wire.BufferSize / 2, wire.BufferSize/2 + 1, wire.BufferSize - 1, wire.BufferSize, wire.BufferSize + 1}
	for _, first := range sizes {
		for _, second := range sizes {
			var sent bytes.Buffer
			out := batch{to: &sent}
			want := append(append(bytes.Repeat([]byte{'P'}, first), bytes.Repeat([]byte{'B'}, second)...), 'S')
			for _, message := range [][]byte{want[:first], want[first : first+second], {'S'}} {
				if err := out.add(message); err != nil {
					t.Fatal(err)
				}
			}
			if err := out.flush(); err != nil || !bytes.Equal(sent.Bytes(), want) {
				t.Errorf("%d bytes, then %d: out of order (%v)", first, second, err)
			}
		}
	}
}
