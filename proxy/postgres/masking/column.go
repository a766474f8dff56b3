package masking

import (
	"github.com/sallyport/sallyport/internal/mask"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// does is what happens to the values of a column.
type does uint8

const (
	doesNothing does = iota
	// doesMask puts another value in each one's place.
	doesMask
	// doesScan masks what detectors find.
	doesScan
)

// column of a result.
type column struct {
	does   does
	oid    uint32
	class  class
	binary bool
	// modifier of the type, -1 for none.
	modifier int32
	mask     mask.Mask
	// constant in the column's own type and format; nil where it has none.
	constant []byte
	// masked counts the values that the mask took the place of.
	masked int64
}

func (m *Masks) column(oid uint32, format uint16, modifier int32, c choice) column {
	out := column{oid: oid, class: classOf(oid), binary: format == wire.FormatBinary, modifier: modifier}
	switch {
	case c.made:
		out.does, out.mask = doesMask, c.mask
		out.constant = constant(c.mask, &out)
	case m.set.Detects() && out.class != classBare:
		out.does = doesScan
	}
	return out
}

// apply appends what stands for a value; same says that it stays as it is, null that
// NULL stands for it.
func (m *Masks) apply(dst, value []byte, c *column) (out []byte, null, same bool) {
	switch c.does {
	case doesMask:
		c.masked++
		out, null = m.masked(dst, value, c.mask, c)
		return out, null, false
	case doesScan:
		return m.scan(dst, value, c)
	case doesNothing:
	}
	return dst, false, true
}

// maxKept is the room that is kept from one result to the next, in bytes.
const maxKept = 64 << 10

// shrink gives up room that only large values need.
func (m *Masks) shrink() {
	if cap(m.scratch) > maxKept {
		m.scratch = nil
	}
	if cap(m.found) > maxKept/32 {
		m.found = nil
	}
}

// settle adds a column's count to the others.
func (m *Masks) settle(c *column) {
	if c.masked > 0 {
		m.counts[c.mask.Reason] += c.masked
		c.masked = 0
	}
}
