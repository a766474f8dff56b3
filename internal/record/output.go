package record

import (
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Output is a block of the messages with rows that the client got of an operation,
// after masking. The blocks of an operation, one after the other, are its messages;
// a message may go on from one block to the next.
type Output struct {
	Operation int64 `json:"operation"`
	// Columns of the result, in the first block of each result that has any.
	Columns []Column `json:"columns,omitempty"`
	// Rows that begin in this block.
	Rows int64 `json:"rows,omitempty"`
	// Bytes of the block.
	Bytes int64 `json:"bytes,omitempty"`
	// Block is the messages, raw, MaxBlock at most; attached to the event.
	Block []byte `json:"-"`
	// Data are the messages, compressed with zstd (RFC 8878), in the formats before 1.0.
	Data []byte `json:"data,omitempty"`
}

// Column of a result.
type Column struct {
	Name string `json:"name"`
	// Type by OID.
	Type   uint32 `json:"type"`
	Binary bool   `json:"binary,omitempty"`
}

const (
	// MaxBlock is the most that one Output holds, in bytes.
	MaxBlock = 256 << 10
	// MaxBlockColumns is how many columns may stand beside a block's data; more have
	// an Output of their own.
	MaxBlockColumns = 256
)

// blockDecoder is for blocks of the formats before 1.0.
var blockDecoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxBlock),
		zstd.WithDecoderMaxWindow(MaxBlock), zstd.WithDecoderLowmem(true))
})

// Messages is the block, of whichever format.
func (o *Output) Messages() ([]byte, error) {
	if o.Block != nil {
		return o.Block, nil
	}
	if len(o.Data) == 0 {
		return nil, nil
	}
	d, err := blockDecoder()
	if err != nil {
		return nil, fmt.Errorf("decompress output: %w", err)
	}
	block, err := d.DecodeAll(o.Data, nil)
	if err != nil {
		return nil, fmt.Errorf("decompress output: %w", err)
	}
	if int64(len(block)) != o.Bytes {
		return nil, fmt.Errorf("a block of %d bytes that says %d", len(block), o.Bytes)
	}
	return block, nil
}
