package sftp

import "encoding/binary"

// cursor reads a packet in place. After the first thing that is not there, or too long,
// everything is zero and bad holds.
type cursor struct {
	rest []byte
	bad  bool
}

func (c *cursor) take(n int) []byte {
	if c.bad || n < 0 || n > len(c.rest) {
		c.bad, c.rest = true, nil
		return nil
	}
	taken := c.rest[:n:n]
	c.rest = c.rest[n:]
	return taken
}

func (c *cursor) byte() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) uint32() uint32 {
	if b := c.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) uint64() uint64 {
	if b := c.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// string is at most limit bytes.
func (c *cursor) string(limit int) []byte {
	n := c.uint32()
	if uint64(n) > uint64(limit) {
		c.bad, c.rest = true, nil
		return nil
	}
	return c.take(int(n))
}

// end says that all was there, and nothing more.
func (c *cursor) end() error {
	if c.bad || len(c.rest) != 0 {
		return errMalformed
	}
	return nil
}
