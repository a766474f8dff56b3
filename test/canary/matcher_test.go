package canary

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// gram is how many bytes are looked up at once; no form is shorter.
const gram = 8

// form is one way in which a canary may be written.
type form struct {
	name string
	// text in lower case; atLeast is how much of it, in one piece, is a find.
	text    []byte
	atLeast int
}

// matcher finds forms of canaries in streams, whatever their case.
type matcher struct {
	forms []form
	// filter has a bit for the hash of each gram, places say where these stand.
	filter []uint64
	places map[uint64][]place
	// cells are values that are found only where they are a whole value.
	cells map[string]string
}

type place struct{ form, offset int32 }

const filterBits = 24

func newMatcher() *matcher {
	return &matcher{filter: make([]uint64, 1<<(filterBits-6)), places: map[uint64][]place{}, cells: map[string]string{}}
}

func fold(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

func slot(g uint64) uint64 { return g * 0x9e3779b97f4a7c15 >> (64 - filterBits) }

// add a form; of one that is shorter than a gram nothing is found.
func (m *matcher) add(name string, text []byte, atLeast int) {
	f := form{name: name, atLeast: min(max(atLeast, gram), len(text))}
	for _, b := range text {
		f.text = append(f.text, fold(b))
	}
	for at := 0; at+gram <= len(f.text); at++ {
		g := binary.BigEndian.Uint64(f.text[at:])
		m.filter[slot(g)/64] |= 1 << (slot(g) % 64)
		m.places[g] = append(m.places[g], place{int32(len(m.forms)), int32(at)})
	}
	m.forms = append(m.forms, f)
}

// encoded adds bytes as they are, in hexadecimal and in base64.
func (m *matcher) encoded(name string, raw []byte) {
	m.add(name, raw, gram)
	m.add(name+" in hex", []byte(hex.EncodeToString(raw)), 2*gram)
	for skip := range 3 {
		if len(raw) > skip+gram {
			m.add(name+" in base64", []byte(base64.RawStdEncoding.EncodeToString(raw[skip:])), 11)
		}
	}
}

// text adds a canary of letters and digits.
func (m *matcher) text(name, canary string) {
	m.encoded(name, []byte(canary))
	reversed := []byte(canary)
	slices.Reverse(reversed)
	m.add(name+" reversed", reversed, gram)
	for _, form := range []string{canary, strings.ToUpper(canary)} {
		sum, long := md5.Sum([]byte(form)), sha256.Sum256([]byte(form))
		m.encoded(name+" as MD5", sum[:])
		m.encoded(name+" as SHA-256", long[:])
	}
}

// stream searches what is written to it.
type stream struct {
	matcher *matcher
	// found is called with the form, and what is around it.
	found func(form string, around []byte)
	tail  []byte
	bytes int64
}

// overlap is more than any find is long.
const overlap = 256

func (s *stream) Write(data []byte) (int, error) {
	s.bytes += int64(len(data))
	s.tail = append(s.tail, data...)
	s.matcher.search(s.tail, s.found)
	s.tail = append(s.tail[:0], s.tail[max(0, len(s.tail)-overlap):]...)
	return len(data), nil
}

// search reports each form once.
func (m *matcher) search(data []byte, found func(string, []byte)) {
	var g uint64
	var told map[string]bool
	for i, b := range data {
		g = g<<8 | uint64(fold(b))
		if at := slot(g); m.filter[at/64]&(1<<(at%64)) == 0 || i+1 < gram {
			continue
		}
		for _, p := range m.places[g] {
			f := &m.forms[p.form]
			begin, end := f.extent(data, i+1-gram, int(p.offset))
			if end-begin < f.atLeast || told[f.name] {
				continue
			}
			if told == nil {
				told = map[string]bool{}
			}
			told[f.name] = true
			found(f.name, data[max(0, begin-40):min(len(data), end+40)])
		}
	}
}

// extent is how far data agrees with the form around a gram that does.
func (f *form) extent(data []byte, at, offset int) (begin, end int) {
	begin, end = at, at+gram
	for o := offset; o > 0 && begin > 0 && fold(data[begin-1]) == f.text[o-1]; o-- {
		begin--
	}
	for o := offset + gram; o < len(f.text) && end < len(data) && fold(data[end]) == f.text[o]; o++ {
		end++
	}
	return begin, end
}

func TestTheMatcherFindsCanariesHoweverTheyAreWritten(t *testing.T) {
	t.Parallel()
	const canary = "kq3vz8mwt1xplr5dbn7yhc2g"
	m := newMatcher()
	m.text("text", canary)
	m.add("number", []byte("7777001234567"), 11)
	for name, data := range map[string]string{
		"whole": canary, "upper": strings.ToUpper(canary), "a piece": "vz8mwt1x", "reversed": "xx" + "2chy7nbd" + "yy",
		"hex": hex.EncodeToString([]byte(canary[3:14])), "base64": base64.StdEncoding.EncodeToString([]byte("??" + canary + "!")),
		"md5": fmt.Sprintf("%x", md5.Sum([]byte(canary))), "number": "x77770012345y",
	} {
		for size := 1; size < 20; size += 3 {
			hits := 0
			s := stream{matcher: m, found: func(string, []byte) { hits++ }}
			for chunk := range slices.Chunk([]byte(strings.Repeat("-", 500)+data+strings.Repeat("+", 500)), size) {
				if _, err := s.Write(chunk); err != nil {
					t.Fatal(err)
				}
			}
			if hits == 0 {
				t.Errorf("%s in pieces of %d was not found", name, size)
			}
		}
	}
	s := stream{matcher: m, found: func(form string, _ []byte) { t.Errorf("found %s where it is not", form) }}
	_, _ = s.Write([]byte("vz8mwt1" + "7777001" + strings.ToUpper(canary[:7]) + string(bytes.Repeat([]byte{0}, 100))))
}
