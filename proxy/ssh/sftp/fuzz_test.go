package sftp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/sallyport/sallyport/internal/policy"
)

// requests are one of each kind, without their lengths.
func requests() [][]byte {
	attributes := []byte{0, 0, 0, 0xf, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 1, 0xa4, 0, 0, 0, 3, 0, 0, 0, 4}
	one := appendString(nil, "/a")
	two := appendString(slices.Clip(one), "/b")
	eight := make([]byte, 8)
	whole := [][]byte{
		pathRequest(typeOpen, 1, "/a", append([]byte{0, 0, 0, 0x3f}, attributes...)), pathRequest(typeWrite, 1, "h", append(eight, appendString(nil, "data")...)),
		pathRequest(typeRead, 1, "h", make([]byte, 12)), pathRequest(typeSetstat, 1, "/a", attributes), pathRequest(typeRename, 1, "/a", one),
		pathRequest(typeClose, 1, "h", nil), pathRequest(typeRealpath, 1, ".", nil), extendedRequest(1, "unknown", []byte("rest")),
		extendedRequest(1, extCopyData, append(append(appendString(nil, "h"), make([]byte, 16)...), append(appendString(nil, "i"), eight...)...)),
		extendedRequest(1, extLimits, nil), extendedRequest(1, extLsetstat, append(slices.Clip(one), attributes...)), extendedRequest(1, extUsersGroups, two),
	}
	for _, name := range []string{extPosixRename, extHardlink} {
		whole = append(whole, extendedRequest(1, name, two))
	}
	for _, name := range []string{extStatvfs, extFstatvfs, extFsync, extExpandPath, extHome} {
		whole = append(whole, extendedRequest(1, name, one))
	}
	return whole
}

func FuzzRequest(f *testing.F) {
	for _, r := range requests() {
		f.Add(r[4:])
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		r, err := ParseRequest(packet)
		if err != nil {
			return
		}
		if len(r.Path) > maxPath || len(r.Handle) > maxHandle || len(r.Data) > len(packet) {
			t.Fatalf("%+v is larger than its bounds", r)
		}
		_ = kindOf(&r)
		_ = r.Attributes.change()
	})
}

func FuzzResponse(f *testing.F) {
	f.Add(status(1, statusOK, "fine")[4:])
	f.Add(nameReply(1, "/a")[4:])
	f.Add(finish(appendString(begin(nil, typeHandle, 1), "h"))[4:])
	f.Add(finish(appendString(begin(nil, typeData, 1), "data"))[4:])
	f.Add(finish(append(begin(nil, typeAttributes, 1), 0, 0, 0, 4, 0, 0, 0x41, 0xed))[4:])
	f.Fuzz(func(t *testing.T, packet []byte) {
		r, err := ParseResponse(packet)
		if err != nil {
			return
		}
		if uint64(r.Count)*12 > uint64(len(packet)) {
			t.Fatalf("%d names in %d bytes", r.Count, len(packet))
		}
		_ = message(&r)
	})
}

func FuzzReassembly(f *testing.F) {
	f.Add(bytes.Join(requests(), nil), uint8(0))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1}, uint8(1))
	f.Fuzz(func(t *testing.T, stream []byte, how uint8) {
		var from io.Reader = bytes.NewReader(stream)
		switch how % 3 {
		case 1:
			from = iotest.OneByteReader(from)
		case 2:
			from = iotest.HalfReader(from)
		}
		var out []byte
		b := batch{to: writerFunc(func(p []byte) (int, error) { out = append(out, p...); return len(p), nil })}
		in := frames{from: from, before: b.flush}
		for {
			packet, err := in.next()
			if err != nil {
				break
			}
			if err := b.add(packet); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.flush(); err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(stream, out) {
			t.Fatal("packets came out differently")
		}
	})
}

// FuzzTarget is a target that answers anything.
func FuzzTarget(f *testing.F) {
	hello := finish([]byte{0, 0, 0, 0, typeVersion, 0, 0, 0, version})
	f.Add(append(hello, status(0, 0, "")...))
	f.Add(append(hello, nameReply(256, "/")...))
	f.Fuzz(func(t *testing.T, answers []byte) {
		ask := append(finish([]byte{0, 0, 0, 0, typeInit, 0, 0, 0, version}), bytes.Join(requests(), nil)...)
		d := &door{grants: map[string]string{"/**": "RWD"}}
		relay := New(context.Background(), Config{Client: end{bytes.NewReader(ask)}, Target: end{bytes.NewReader(answers)}, Gate: d})
		close(relay.initiated)
		if err := relay.ServeTarget(); err != nil && errors.Is(err, errOver) {
			t.Fatal(err)
		}
	})
}

type end struct{ io.Reader }

func (end) Write(p []byte) (int, error) { return len(p), nil }

// FuzzPlaces is a target that says anything of where paths lead: what comes out of it is
// canonical all the same.
func FuzzPlaces(f *testing.F) {
	const folder, link = "\x41\xed", "\xa1\xff"
	attributes := func(id uint32, mode string) []byte {
		return finish(append(append(begin(nil, typeAttributes, id), 0, 0, 0, hasPermissions, 0, 0), mode...))
	}
	hello := appendString(appendString([]byte{0, 0, 0, 0, typeVersion, 0, 0, 0, version}, extExpandPath), "1")
	f.Add("d/l/../f", bytes.Join([][]byte{finish(hello), nameReply(0, "/home"), attributes(1, folder), attributes(2, folder), attributes(3, folder), attributes(4, link),
		nameReply(5, "../e"), attributes(6, folder), status(7, statusNoSuchFile, "")}, nil))
	f.Add("/f", append(slices.Clip(hello), status(0, statusPermissionDenied, "")...))
	f.Fuzz(func(t *testing.T, path string, answers []byte) {
		c, err := NewClient(end{bytes.NewReader(answers)}, "deploy")
		if err != nil {
			return
		}
		place, err := c.Resolve(t.Context(), path, true)
		if err == nil && (!policy.MatchPath("/**", place.Path) || checkPath(place.Path) != nil) {
			t.Fatalf("%q leads to %q", path, place.Path)
		}
	})
}
