package wire

import (
	"bytes"
	"encoding/binary"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// A run is what Next would have returned one by one, however the stream is cut and
// whatever length a peer declares.
func TestPG1_ARunOfFramesIsWhatNextReturns(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		for range rapid.IntRange(1, 30).Draw(t, "frames") {
			kind := rapid.SampledFrom([]byte{TypeDataRow, TypeDataRow, TypeDataRow, TypeCommandComplete, 'z'}).Draw(t, "type")
			body := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "body")
			declared := uint32(len(body) + lengthSize)
			if rapid.IntRange(0, 20).Draw(t, "lies") == 0 {
				declared = rapid.Uint32().Draw(t, "declared")
			}
			stream = append(binary.BigEndian.AppendUint32(append(stream, kind), declared), body...)
		}
		each := read(NewReader(bytes.NewReader(stream), BackendLimits(1<<10)), false)
		inRuns := read(NewReader(iotest.HalfReader(bytes.NewReader(stream)), BackendLimits(1<<10)), true)
		if each != inRuns {
			t.Fatalf("%+v, in runs %+v", each, inRuns)
		}
	})
}

// seen is what a reader was given before it ended.
type seen struct {
	rows, bytes int64
	other       string
	failed      bool
}

func read(r *Reader, inRuns bool) (s seen) {
	for {
		if inRuns {
			rows, size := r.Run(TypeDataRow)
			s.rows, s.bytes = s.rows+rows, s.bytes+size
		}
		frame, ok, err := r.Next()
		switch {
		case err != nil:
			s.failed = true
			return s
		case !ok:
			r.Release()
			if r.Fill() != nil {
				return s
			}
		case frame.Type == TypeDataRow:
			s.bytes += int64(len(frame.Raw))
			if frame.Begins {
				s.rows++
			}
		default:
			s.other += string(frame.Raw)
		}
	}
}
