package sftp

import (
	"encoding/binary"
	"io"
)

// frames cuts a stream into packets, in place. Its buffer is small until packets are
// large, or come fast.
type frames struct {
	from       io.Reader
	buffer     []byte
	start, end int
	// before is called when packets that were given out are about to be overwritten.
	before func() error
}

const smallBuffer = 4 << 10

// next is a whole packet with its length: good until before is called. io.EOF is an end
// between packets.
func (f *frames) next() ([]byte, error) {
	for {
		if have := f.end - f.start; have >= 4 {
			n := int64(binary.BigEndian.Uint32(f.buffer[f.start:]))
			if n < 1 || n > maxPacket {
				return nil, errMalformed
			}
			if whole := int(n) + 4; have >= whole {
				packet := f.buffer[f.start : f.start+whole]
				f.start += whole
				return packet, nil
			}
		}
		if err := f.fill(); err != nil {
			return nil, err
		}
	}
}

func (f *frames) fill() error {
	if f.before != nil {
		if err := f.before(); err != nil {
			return err
		}
	}
	have := f.end - f.start
	switch {
	case f.buffer == nil:
		f.buffer = make([]byte, smallBuffer)
	case f.end == len(f.buffer) && len(f.buffer) < maxPacket+smallBuffer:
		// It came as fast as there was room.
		larger := make([]byte, min(4*len(f.buffer), maxPacket+smallBuffer))
		copy(larger, f.buffer[f.start:f.end])
		f.buffer = larger
	default:
		copy(f.buffer, f.buffer[f.start:f.end])
	}
	f.start, f.end = 0, have
	n, err := f.from.Read(f.buffer[f.end:])
	f.end += n
	switch {
	case n > 0:
		return nil
	case err == nil:
		return io.ErrNoProgress
	case err == io.EOF && have > 0:
		return io.ErrUnexpectedEOF
	}
	return err
}
