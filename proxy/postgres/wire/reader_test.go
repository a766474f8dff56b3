package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"testing"
	"testing/iotest"
)

func message(t byte, body []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{t}, uint32(len(body)+4))
	return append(b, body...)
}

func declared(t byte, length uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{t}, length)
}

// drain reads everything as a relay does, and returns what it forwarded and the
// number of messages.
func drain(t *testing.T, r *Reader) (forwarded []byte, messages int, err error) {
	t.Helper()
	for {
		frame, ok, err := r.Next()
		if err != nil {
			return forwarded, messages, err
		}
		if !ok {
			forwarded = append(forwarded, r.Held(0)...)
			r.Release()
			if err := r.Fill(); err != nil {
				return forwarded, messages, err
			}
			continue
		}
		if frame.Begins {
			messages++
		}
	}
}

func TestPG1_ALengthUnderFourOrOverTheLimitIsRefusedBeforeAllocating(t *testing.T) {
	limits := map[string]*Limits{
		"password": PasswordLimits(), "startup": StartupLimits(),
		"frontend": FrontendLimits(DefaultMaxMessage), "backend": BackendLimits(DefaultMaxMessage),
	}
	for phase, l := range limits {
		for kind := range 256 {
			limit, known := l.of(byte(kind))
			for _, length := range []uint32{0, 1, 3, uint32(limit) + 5, 1 << 31, 1<<32 - 1} {
				r := NewReader(bytes.NewReader(declared(byte(kind), length)), l)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, err := r.Read()
				runtime.ReadMemStats(&after)
				want := ErrMalformed
				if known && length > 3 {
					want = ErrTooLarge
				}
				if !errors.Is(err, want) {
					t.Fatalf("%s: type %#x of length %d: got %v, want %v", phase, kind, length, err, want)
				}
				if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<10 {
					t.Fatalf("%s: type %#x of length %d: %d bytes allocated", phase, kind, length, grown)
				}
			}
		}
	}
}

func TestPG1_BeforeAuthenticationTenThousandBytesAreTheMost(t *testing.T) {
	t.Parallel()
	for _, length := range []uint32{0, 7, 10005, 1 << 31, 1<<32 - 1} {
		raw := binary.BigEndian.AppendUint32(nil, length)
		if _, err := ReadOpening(bytes.NewReader(append(raw, make([]byte, 64)...))); !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrMalformed) {
			t.Errorf("start-up message of length %d: got %v", length, err)
		}
	}
	if _, err := NewReader(bytes.NewReader(declared(TypePassword, 10005)), PasswordLimits()).Read(); !errors.Is(err, ErrTooLarge) {
		t.Errorf("password of 10001 bytes: got %v", err)
	}
}

func TestPG1_MemoryFollowsWhatArrivedNotWhatWasDeclared(t *testing.T) {
	t.Parallel()
	r := NewReader(io.MultiReader(bytes.NewReader(declared(TypeQuery, 64<<20)), bytes.NewReader(make([]byte, 1000))), FrontendLimits(DefaultMaxMessage))
	if _, err := r.Read(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("got %v", err)
	}
	if len(r.buffer) != idleSize {
		t.Errorf("the buffer grew to %d bytes for a message of which 1000 came", len(r.buffer))
	}
}

func TestPG2_AnEndlessRowPassesThroughAFixedBuffer(t *testing.T) {
	t.Parallel()
	const size = 32 << 20
	source := io.MultiReader(bytes.NewReader(declared(TypeDataRow, size+4)), io.LimitReader(zeros{}, size),
		bytes.NewReader(message(TypeReadyForQuery, []byte{'I'})))
	r := NewReader(source, BackendLimits(DefaultMaxMessage))
	forwarded, messages, err := drain(t, r)
	if !errors.Is(err, io.EOF) || messages != 2 || len(forwarded) != size+5+6 {
		t.Fatalf("%d messages, %d bytes, %v", messages, len(forwarded), err)
	}
	if len(r.buffer) != BufferSize {
		t.Errorf("the buffer grew to %d bytes", len(r.buffer))
	}
}

func TestTheBufferGrowsAsThePeerFillsIt(t *testing.T) {
	t.Parallel()
	for bodies, want := range map[int]int{10: idleSize, idleSize: someSize, 2 * idleSize: someSize, someSize: BufferSize, 3 * BufferSize: 3*BufferSize + HeaderSize} {
		r := NewReader(bytes.NewReader(message(TypeQuery, make([]byte, bodies))), FrontendLimits(DefaultMaxMessage))
		if frame, err := r.Read(); err != nil || len(frame.Body()) != bodies || len(r.buffer) != want {
			t.Errorf("a message of %d bytes: %d came, in a buffer of %d, %v", bodies, len(frame.Body()), len(r.buffer), err)
		}
	}
}

func TestTheBufferShrinksAfterALargeMessage(t *testing.T) {
	t.Parallel()
	large := message(TypeQuery, append(bytes.Repeat([]byte("x"), 3<<20), 0))
	source := io.MultiReader(bytes.NewReader(large), bytes.NewReader(bytes.Repeat(message(TypeSync, nil), 10)))
	r := NewReader(source, FrontendLimits(DefaultMaxMessage))
	for range 11 {
		if _, err := r.Read(); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Fill(); !errors.Is(err, io.EOF) || len(r.buffer) != BufferSize {
		t.Errorf("buffer of %d bytes, %v", len(r.buffer), err)
	}
}

func TestPG11_ACutAtEveryByteGivesTheSameFrames(t *testing.T) {
	t.Parallel()
	var stream []byte
	stream = append(stream, message(TypeRowDescription, make([]byte, 40))...)
	for range 3 {
		stream = append(stream, message(TypeDataRow, make([]byte, 17))...)
	}
	stream = append(stream, message(TypeCommandComplete, []byte("SELECT 3\x00"))...)
	stream = append(stream, message(TypeReadyForQuery, []byte{'I'})...)
	for cut := range stream {
		source := io.MultiReader(bytes.NewReader(stream[:cut]), bytes.NewReader(stream[cut:]))
		forwarded, messages, err := drain(t, NewReader(source, BackendLimits(DefaultMaxMessage)))
		if !errors.Is(err, io.EOF) || messages != 6 || !bytes.Equal(forwarded, stream) {
			t.Fatalf("cut at %d: %d messages, %d of %d bytes, %v", cut, messages, len(forwarded), len(stream), err)
		}
	}
	forwarded, messages, err := drain(t, NewReader(iotest.OneByteReader(bytes.NewReader(stream)), BackendLimits(DefaultMaxMessage)))
	if !errors.Is(err, io.EOF) || messages != 6 || !bytes.Equal(forwarded, stream) {
		t.Fatalf("byte by byte: %d messages, %d of %d bytes, %v", messages, len(forwarded), len(stream), err)
	}
}

func TestAConnectionCutInsideAMessageIsNotACleanEnd(t *testing.T) {
	t.Parallel()
	whole := message(TypeQuery, []byte("select 1\x00"))
	for cut := 1; cut < len(whole); cut++ {
		if _, err := NewReader(bytes.NewReader(whole[:cut]), FrontendLimits(DefaultMaxMessage)).Read(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
	if _, err := NewReader(bytes.NewReader(nil), FrontendLimits(DefaultMaxMessage)).Read(); !errors.Is(err, io.EOF) {
		t.Errorf("no byte at all: %v", err)
	}
}

func FuzzReassembly(f *testing.F) {
	f.Add([]byte("D\x00\x00\x00\x06ab"), byte(1))
	f.Add([]byte("Z\x00\x00\x00\x05ID\xff\xff\xff\xff"), byte(3))
	f.Fuzz(func(t *testing.T, stream []byte, step byte) {
		source := &stepReader{rest: stream, step: int(step)%16 + 1}
		forwarded, _, err := drain(t, NewReader(source, BackendLimits(1<<16)))
		if err == nil || !bytes.HasPrefix(stream, forwarded) {
			t.Fatalf("forwarded other bytes than came: %v", err)
		}
		whole, _, _ := drain(t, NewReader(bytes.NewReader(stream), BackendLimits(1<<16)))
		if errors.Is(err, io.EOF) && !bytes.Equal(whole, forwarded) {
			t.Fatal("another cut gave other frames")
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type stepReader struct {
	rest []byte
	step int
}

func (s *stepReader) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.step)], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func BenchmarkNext(b *testing.B) {
	row := message(TypeDataRow, make([]byte, 100))
	block := bytes.Repeat(row, 1000)
	b.SetBytes(int64(len(block)))
	b.ReportAllocs()
	r := NewReader(&endless{block: block}, BackendLimits(DefaultMaxMessage))
	for b.Loop() {
		for n := 0; n < 1000; {
			if _, ok, _ := r.Next(); ok {
				n++
				continue
			}
			r.Release()
			if err := r.Fill(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

type endless struct {
	block []byte
	at    int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.block[e.at:])
	e.at = (e.at + n) % len(e.block)
	return n, nil
}
