package ssh

import "sync"

// Sizes of buffers: little for a channel that waits, as most do; more while it is busy,
// so that a chunk's record costs little.
var sizes = [...]int{4 << 10, 32 << 10, 256 << 10}

// shrinkAfter is how many reads in a row that would have fitted the next smaller
// buffer make it smaller.
const shrinkAfter = 64

// buffer is what one direction of a channel reads into.
type buffer struct {
	bytes []byte
	level int
	small int
}

var pools [len(sizes)]sync.Pool

func take(level int) []byte {
	if kept, ok := pools[level].Get().(*[]byte); ok {
		return *kept
	}
	return make([]byte, sizes[level])
}

func newBuffer() *buffer { return &buffer{bytes: take(0)} }

// adapt makes the buffer fit what comes, after n bytes came, and were handed on.
func (b *buffer) adapt(n int) {
	switch {
	case n == len(b.bytes) && b.level+1 < len(sizes):
		b.resize(b.level + 1)
	case b.level > 0 && n <= sizes[b.level-1]:
		if b.small++; b.small >= shrinkAfter {
			b.resize(b.level - 1)
		}
	default:
		b.small = 0
	}
}

func (b *buffer) resize(level int) {
	b.free()
	b.bytes, b.level, b.small = take(level), level, 0
}

// free gives the memory back, for others to overwrite.
func (b *buffer) free() {
	if b.bytes != nil {
		kept := b.bytes
		pools[b.level].Put(&kept)
		b.bytes = nil
	}
}
