package masking

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// A binary COPY begins with a signature, flags, and a header extension behind its
// length; each row is the number of its values and the values, each behind its length;
// the number -1 ends it.
// https://www.postgresql.org/docs/current/sql-copy.html
var copySignature = []byte("PGCOPY\n\xff\r\n\x00")

const (
	copyHeader = 11 + 4 + 4
	// maxCopyExtension bounds the header's extension, of which none is defined.
	maxCopyExtension = 4 << 10
)

// tuples masks the whole rows at the beginning of data, and returns what is left.
func (p *CopyPlan) tuples(dst, data []byte) (left, out []byte, err error) {
	if len(data) < p.need {
		return data, dst, nil
	}
	begin := len(dst)
	dst = appendCopyData(dst)
	for p.need = 0; len(data) > 0 && err == nil; {
		var used int
		dst, used, err = p.tuple(dst, data)
		if errors.Is(err, errShort) {
			p.need, err = used, nil
			break
		}
		data = data[used:]
	}
	if len(dst) == begin+len(appendCopyData(nil)) {
		return data, dst[:begin], err
	}
	return data, closeCopyData(dst, begin), err
}

// tuple appends the header, one row, or the end, masked. used is its size, or, with
// errShort, the size that is needed at least.
func (p *CopyPlan) tuple(dst, data []byte) (out []byte, used int, err error) {
	if p.ended {
		return dst, 0, malformed("bytes after the end of a COPY")
	}
	if !p.named {
		return p.header(dst, data)
	}
	if len(data) < 2 {
		return dst, 2, errShort
	}
	count := int(int16(binary.BigEndian.Uint16(data)))
	if count == -1 {
		p.ended = true
		return append(dst, data[:2]...), 2, nil
	}
	if count != len(p.columns) {
		return dst, 0, malformed("a row of %d values in a COPY of %d columns", count, len(p.columns))
	}
	if size, err := whole(data[2:], count); err != nil {
		return dst, size + 2, err
	}
	dst, used, err = p.values(append(dst, data[:2]...), data[2:])
	return dst, used + 2, err
}

// whole checks that a row's values are all there, or says how many bytes are needed.
func whole(raw []byte, count int) (size int, err error) {
	for range count {
		if len(raw)-size < 4 {
			return size + 4, errShort
		}
		length := int(int32(binary.BigEndian.Uint32(raw[size:])))
		if length < -1 {
			return 0, malformed("a value of %d bytes", length)
		}
		size += 4 + max(length, 0)
		if size > len(raw) {
			return size, errShort
		}
	}
	return size, nil
}

func (p *CopyPlan) header(dst, data []byte) (out []byte, used int, err error) {
	if len(data) < copyHeader {
		return dst, copyHeader, errShort
	}
	extension := binary.BigEndian.Uint32(data[copyHeader-4:])
	flags := binary.BigEndian.Uint32(data[len(copySignature):])
	if !bytes.HasPrefix(data, copySignature) || extension > maxCopyExtension || flags != 0 {
		return dst, 0, malformed("a binary COPY without its header")
	}
	size := copyHeader + int(extension)
	if len(data) < size {
		return dst, size, errShort
	}
	p.named = true
	return append(dst, data[:size]...), size, nil
}
