package masking

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// Plan is what happens to the rows of one result.
type Plan struct {
	masks   *Masks
	columns []column
	works   bool
}

// Works says whether rows may change: those of a plan that does not need not be
// looked into.
func (p *Plan) Works() bool { return p.works }

// rowHeader is a DataRow up to its first value: type, length, number of values.
const rowHeader = wire.HeaderSize + 2

// Row appends a DataRow, header included, with its values masked. Any row that does
// not hold what it says is an ErrMalformed.
func (p *Plan) Row(dst, raw []byte) ([]byte, error) {
	if len(raw) < rowHeader {
		return dst, malformed("a row that ends too early")
	}
	begin := len(dst)
	dst = append(dst, raw[:rowHeader]...)
	if count := int(binary.BigEndian.Uint16(raw[wire.HeaderSize:])); count != len(p.columns) {
		return dst, malformed("a row of %d values in a result of %d columns", count, len(p.columns))
	}
	dst, used, err := p.values(dst, raw[rowHeader:])
	if err != nil {
		return dst, err
	}
	if used != len(raw)-rowHeader {
		return dst, malformed("bytes after a row's end")
	}
	size := len(dst) - begin - 1
	if size > math.MaxInt32 {
		return dst, fmt.Errorf("%w: a masked row of %d bytes", wire.ErrTooLarge, size)
	}
	binary.BigEndian.PutUint32(dst[begin+1:], uint32(size))
	return dst, nil
}

// values appends the values of a row, each behind its length, masked; used is how
// many bytes of raw they take. errShort is a row that goes on after raw.
func (p *Plan) values(dst, raw []byte) (out []byte, used int, err error) {
	at, kept := 0, 0
	for i := range p.columns {
		if len(raw)-at < 4 {
			return dst, at + 4, errShort
		}
		size := int(int32(binary.BigEndian.Uint32(raw[at:])))
		if size == -1 {
			at += 4
			continue
		}
		if size < 0 {
			return dst, 0, malformed("a value of %d bytes", size)
		}
		value := at + 4
		if size > len(raw)-value {
			return dst, value + size, errShort
		}
		at = value + size
		c := &p.columns[i]
		if c.does == doesNothing {
			continue
		}
		dst = append(dst, raw[kept:value]...)
		kept = value
		length := len(dst) - 4
		masked, null, same := p.masks.apply(dst, raw[value:at], c)
		switch {
		case same:
			continue
		case null:
			dst = dst[:length+4]
			binary.BigEndian.PutUint32(dst[length:], ^uint32(0))
		default:
			dst = masked
			binary.BigEndian.PutUint32(dst[length:], uint32(len(dst)-length-4))
		}
		kept = at
	}
	return append(dst, raw[kept:at]...), at, nil
}

// Settle adds what the plan has masked to the masks' counts.
func (p *Plan) Settle() {
	for i := range p.columns {
		p.masks.settle(&p.columns[i])
	}
	p.masks.shrink()
}

// errShort is a row that has not come whole; in a DataRow, one that lies about it.
var errShort = malformed("a row that ends too early")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{wire.ErrMalformed}, args...)...)
}
