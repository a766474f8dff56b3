package wire

import (
	"bytes"
	"encoding/binary"
)

// body reads the fields of one message in order. After the first field that is
// not there it fails, and yields zero values.
type body struct {
	message string
	rest    []byte
	err     error
}

func (b *body) fail(why string) {
	if b.err == nil {
		b.err = malformed(b.message, why)
	}
	b.rest = nil
}

// bytes takes the next n bytes, in place.
func (b *body) bytes(n int) []byte {
	if n < 0 || n > len(b.rest) {
		b.fail("ends too early")
		return nil
	}
	taken := b.rest[:n:n]
	b.rest = b.rest[n:]
	return taken
}

// string takes the bytes up to a zero byte, and the zero byte.
func (b *body) string() string { return string(b.cstring()) }

// cstring is string in place.
func (b *body) cstring() []byte {
	end := bytes.IndexByte(b.rest, 0)
	if end < 0 {
		b.fail("string without end")
		return nil
	}
	s := b.rest[:end:end]
	b.rest = b.rest[end+1:]
	return s
}

func (b *body) byte() byte {
	if v := b.bytes(1); v != nil {
		return v[0]
	}
	return 0
}

func (b *body) uint16() uint16 {
	if v := b.bytes(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

func (b *body) uint32() uint32 {
	if v := b.bytes(4); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

// count takes a number of items, each of at least size bytes: more than can
// follow is refused here, before anything is allocated for them.
func (b *body) count(size int) int {
	n := int(b.uint16())
	if n*size > len(b.rest) {
		b.fail("counts more than it holds")
		return 0
	}
	return n
}

// done fails if anything is left.
func (b *body) done() error {
	if b.err == nil && len(b.rest) > 0 {
		b.fail("bytes after its end")
	}
	return b.err
}
