package wire

import (
	"encoding/binary"
	"fmt"
	"io"
)

// BufferSize is what a Reader takes at once from a peer that sends much, in bytes;
// idleSize is what it keeps for one that sends a statement or a row at a time, and
// someSize for one that fills that: PostgreSQL sends 8 KiB at a time.
const (
	BufferSize = 128 << 10
	idleSize   = 2 << 10
	someSize   = 16 << 10
)

// Frame is a message, or a piece of one that is streamed. Its bytes are valid
// until the Reader's next Fill. There is one for each row: it fits into registers.
type Frame struct {
	Type byte
	// Begins says that this is a message's only or first piece, Rest how many bytes
	// of its body are still to come.
	Begins bool
	Rest   int64
	// Raw is what to forward: the body, and before it the header where the frame
	// begins here.
	Raw []byte
}

// Body is the message without its header, or the piece's part of it.
func (f Frame) Body() []byte {
	if f.Begins {
		return f.Raw[HeaderSize:]
	}
	return f.Raw
}

// Reader cuts a peer's bytes into frames. It reads large pieces, allocates for a
// message as its bytes arrive and never by its declared length, and lets a caller
// forward runs of frames without copying them.
//
// Bytes held are those that Next has returned since the last Release: they lie
// side by side, ready to be written as they came.
type Reader struct {
	source io.Reader
	limits *Limits
	buffer []byte
	// held <= next <= end: released | held | not yet framed | free.
	held, next, end int
	// rest of the streamed message of type streaming.
	rest      int64
	streaming byte
	// filled says that the last Fill left no room: the peer sends much.
	filled bool
}

// NewReader frames what source sends, within limits.
func NewReader(source io.Reader, limits *Limits) *Reader {
	return &Reader{source: source, limits: limits, buffer: make([]byte, idleSize)}
}

// SetLimits changes what the peer may send from the next frame on.
func (r *Reader) SetLimits(limits *Limits) { r.limits = limits }

// Next returns the next frame if it is in the buffer. False means that Fill is
// needed; an error, that the peer breaks the protocol or a limit.
func (r *Reader) Next() (Frame, bool, error) {
	if r.rest > 0 {
		return r.piece()
	}
	waiting := r.buffer[r.next:r.end]
	if len(waiting) < HeaderSize {
		return Frame{}, false, nil
	}
	h, err := header(waiting, r.limits)
	if err != nil {
		return Frame{}, false, err
	}
	total := HeaderSize + h.Size
	if int64(len(waiting)) < total {
		if !r.limits.streamed[h.Type] {
			return Frame{}, false, nil
		}
		r.rest, r.streaming = total-int64(len(waiting)), h.Type
		total = int64(len(waiting))
	}
	r.next += int(total)
	return Frame{Type: h.Type, Raw: waiting[:total], Begins: true, Rest: r.rest}, true, nil
}

// Run takes the whole frames of one type that lie next in the buffer, and returns how
// many, and their bytes with headers. They are held as those of Next are. It ends before
// a frame that is in part, of another type or beyond its limit: of that, Next tells.
func (r *Reader) Run(t byte) (frames, size int64) {
	limit, known := r.limits.of(t)
	if r.rest > 0 || !known {
		return 0, 0
	}
	waiting := r.buffer[r.next:r.end]
	for len(waiting) >= HeaderSize && waiting[0] == t {
		declared := int64(binary.BigEndian.Uint32(waiting[1:HeaderSize]))
		total := declared + HeaderSize - lengthSize
		if declared < lengthSize || declared-lengthSize > limit || total > int64(len(waiting)) {
			break
		}
		waiting = waiting[total:]
		frames++
		size += total
	}
	r.next += int(size)
	return frames, size
}

// piece returns what is there of a message that is streamed.
func (r *Reader) piece() (Frame, bool, error) {
	n := int(min(r.rest, int64(r.end-r.next)))
	if n == 0 {
		return Frame{}, false, nil
	}
	raw := r.buffer[r.next : r.next+n]
	r.next += n
	r.rest -= int64(n)
	return Frame{Type: r.streaming, Raw: raw, Rest: r.rest}, true, nil
}

// Held returns the bytes of the frames since the last Release, without the last
// n of them.
func (r *Reader) Held(n int) []byte { return r.buffer[r.held : r.next-n] }

// Release gives up what was held.
func (r *Reader) Release() { r.held = r.next }

// Buffered is how many bytes are there that Next has not returned.
func (r *Reader) Buffered() int { return r.end - r.next }

// Streaming says that a message has begun whose rest is still to come.
func (r *Reader) Streaming() bool { return r.rest > 0 }

// Full says that Fill would have to grow the buffer.
func (r *Reader) Full() bool { return r.end-r.held >= len(r.buffer) }

// Fill blocks until the peer has sent something, and reads it. What was held
// stays held, but earlier frames are no longer valid.
func (r *Reader) Fill() error {
	r.makeRoom()
	n, err := r.source.Read(r.buffer[r.end:])
	r.end += n
	r.filled = r.end == len(r.buffer)
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	if err == io.EOF && (r.end > r.next || r.rest > 0) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// makeRoom leaves free space at the buffer's end. The buffer grows only when it has
// been full of bytes that did arrive, and shrinks again once they are gone.
func (r *Reader) makeRoom() {
	kept := r.end - r.held
	switch {
	case kept == len(r.buffer):
		size := max(2*int64(len(r.buffer)), int64(r.larger()))
		if whole := r.incomplete(); whole > int64(kept) {
			size = min(size, max(whole, BufferSize))
		}
		r.move(make([]byte, size))
	case r.filled && len(r.buffer) < BufferSize:
		r.move(make([]byte, r.larger()))
	case len(r.buffer) > BufferSize && kept < BufferSize/2 && r.incomplete() <= BufferSize:
		r.move(make([]byte, BufferSize))
	case r.held > 0:
		r.move(r.buffer)
	}
}

// larger is the size after that of a buffer of which a peer has filled all.
func (r *Reader) larger() int {
	if len(r.buffer) < someSize {
		return someSize
	}
	return BufferSize
}

// incomplete is the size of the frame that waits for more bytes, 0 if unknown.
func (r *Reader) incomplete() int64 {
	if r.rest > 0 || r.end-r.next < HeaderSize {
		return 0
	}
	h, err := header(r.buffer[r.next:r.end], r.limits)
	if err != nil || r.limits.streamed[h.Type] {
		return 0
	}
	return HeaderSize + h.Size
}

// move takes what is held or waiting to the front of to.
func (r *Reader) move(to []byte) {
	r.end = copy(to, r.buffer[r.held:r.end])
	r.next -= r.held
	r.held = 0
	r.buffer = to
}

// Read blocks for one whole frame and releases what was held: for phases in which
// messages come one at a time.
func (r *Reader) Read() (Frame, error) {
	r.Release()
	for {
		frame, ok, err := r.Next()
		if err != nil {
			return Frame{}, err
		}
		if ok && frame.Rest == 0 && frame.Begins {
			return frame, nil
		}
		if ok {
			return Frame{}, fmt.Errorf("%w: type %q is streamed", ErrMalformed, frame.Type)
		}
		if err := r.Fill(); err != nil {
			return Frame{}, err
		}
	}
}
