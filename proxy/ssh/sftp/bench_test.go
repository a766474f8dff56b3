package sftp

import (
	"encoding/binary"
	"io"
	"testing"
)

// sink is a target that takes writes, and never has to be parsed: what is measured is the
// relay alone.
type sink struct{ n int }

func (s *sink) Write(p []byte) (int, error) { s.n += len(p); return len(p), nil }
func (*sink) Read([]byte) (int, error)      { return 0, io.EOF }

// BenchmarkData is a file's content on its way down: parsed, matched, hashed, renumbered,
// handed on.
func BenchmarkData(b *testing.B) {
	const size = 32 << 10
	to := &sink{}
	r := New(b.Context(), Config{Client: to, Target: to, Gate: &door{}})
	f := &file{relay: r, read: true}
	packet := finish(appendString(begin(nil, typeData, 0), make([]byte, size)))
	out := batch{to: to}
	b.SetBytes(size)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p := &pending{clientID: 1, kind: typeRead, file: f, offset: uint64(i) * size, length: size}
		if err := r.occupy(p); err != nil {
			b.Fatal(err)
		}
		binary.BigEndian.PutUint32(packet[5:], p.id)
		answer, err := r.response(packet)
		if err != nil {
			b.Fatal(err)
		}
		_ = out.add(answer)
		_ = out.flush()
	}
}

// BenchmarkWrite is a file's content on its way up.
func BenchmarkWrite(b *testing.B) {
	const size = 32 << 10
	to := &sink{}
	r := New(b.Context(), Config{Client: to, Target: to, Gate: &door{}})
	f := &file{relay: r, write: true, handle: "h"}
	r.files["h"] = f
	rest := make([]byte, 8)
	packet := pathRequest(typeWrite, 1, "h", appendString(rest, make([]byte, size)))
	b.SetBytes(size)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		binary.BigEndian.PutUint64(packet[14:], uint64(i)*size)
		q, err := ParseRequest(packet[4:])
		if err != nil {
			b.Fatal(err)
		}
		if err := r.request(&q, packet); err != nil {
			b.Fatal(err)
		}
		if err := r.up.flush(); err != nil {
			b.Fatal(err)
		}
		for id, p := range r.slots {
			if p != nil {
				if _, err := r.answered(r.ids[id]); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
}
