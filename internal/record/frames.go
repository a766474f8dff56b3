package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// A segment's body is zstd frames (RFC 8878), each on its own and of at most maxFrame
// bytes of events, then a trailer: a skippable frame with the hash of all before it.

const (
	maxFrame = 256 << 10
	// frameSize is what the writer makes: larger ones compress no better, and whoever
	// fills one waits for it.
	frameSize = 64 << 10

	trailerMagic = 0x184d2a5d
	trailerSize  = 8 + sha256.Size
)

// frameEncoder compresses segments of all sessions of the process; its window is no
// larger than a frame. The checksum places a byte that was changed.
var frameEncoder = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(frameSize),
		zstd.WithEncoderCRC(true), zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)), zstd.WithLowerEncoderMem(true))
})

var frameDecoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(runtime.GOMAXPROCS(0)), zstd.WithDecoderMaxMemory(maxFrame),
		zstd.WithDecoderMaxWindow(maxFrame), zstd.WithDecoderLowmem(true))
})

// appendFrame compresses events.
func appendFrame(dst, plain []byte) ([]byte, error) {
	e, err := frameEncoder()
	if err != nil {
		return dst, fmt.Errorf("compress: %w", err)
	}
	return e.EncodeAll(plain, dst), nil
}

// appendTrailer closes a body.
func appendTrailer(frames, header []byte) []byte {
	hash := bodyHash(header, frames)
	frames = binary.LittleEndian.AppendUint32(frames, trailerMagic)
	frames = binary.LittleEndian.AppendUint32(frames, sha256.Size)
	return append(frames, hash[:]...)
}

func bodyHash(header, frames []byte) Hash {
	return sum(bodyDomain, header, frames)
}

var (
	errNoTrailer = errors.New("it ends before its trailer")
	errTrailer   = errors.New("its trailer and its header do not fit each other")
	errBehind    = errors.New("bytes stand behind its trailer")
	errFrame     = errors.New("a frame of it cannot be decompressed")
)

// readFrames decompresses a body. On an error, at is where in the body it shows, and
// plain what stands before that.
func readFrames(body, header []byte) (plain []byte, at int, err error) {
	d, err := frameDecoder()
	if err != nil {
		return nil, 0, fmt.Errorf("decompress: %w", err)
	}
	for at < len(body) {
		if len(body)-at >= 8 && binary.LittleEndian.Uint32(body[at:]) == trailerMagic {
			return plain, at, checkTrailer(body, header, at)
		}
		size, _, err := frameLength(body[at:])
		if err != nil {
			return plain, at, err
		}
		// The decoder's limit is on the whole of its output.
		frame, err := d.DecodeAll(body[at:at+size], nil)
		if err != nil {
			return plain, at, fmt.Errorf("%w: %w", errFrame, err)
		}
		if len(plain)+len(frame) > maxPlain {
			return plain, at, fmt.Errorf("%w: more than %d bytes of events", errFrame, maxPlain)
		}
		plain = append(plain, frame...)
		at += size
	}
	return plain, at, errNoTrailer
}

func checkTrailer(body, header []byte, at int) error {
	switch {
	case binary.LittleEndian.Uint32(body[at+4:]) != sha256.Size:
		return errTrailer
	case len(body)-at < trailerSize:
		return errNoTrailer
	}
	if hash := bodyHash(header, body[:at]); !bytes.Equal(hash[:], body[at+8:at+trailerSize]) {
		return errTrailer
	}
	if len(body)-at > trailerSize {
		return errBehind
	}
	return nil
}

// frameLength is the length of the frame that data begins with (RFC 8878, 3.1.1), and how
// many bytes it says it decompresses to.
func frameLength(data []byte) (size int, plain uint64, err error) {
	var header zstd.Header
	if err := header.Decode(data); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return 0, 0, errNoTrailer
		}
		return 0, 0, fmt.Errorf("%w: %w", errFrame, err)
	}
	if header.Skippable {
		return 0, 0, errFrame
	}
	at := header.HeaderSize
	for last := false; !last; {
		if len(data) < at+3 {
			return 0, 0, errNoTrailer
		}
		block := uint32(data[at]) | uint32(data[at+1])<<8 | uint32(data[at+2])<<16
		length := int(block >> 3)
		if block>>1&3 == 1 { // RLE: one byte, that many times
			length = 1
		}
		at, last = at+3+length, block&1 == 1
	}
	if header.HasCheckSum {
		at += 4
	}
	if at > len(data) {
		return 0, 0, errNoTrailer
	}
	return at, header.FrameContentSize, nil
}
