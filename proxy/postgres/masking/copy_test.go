package masking_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/proxy/postgres/masking"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

const copyLimit = 1 << 20

// copyTo plans a COPY of n columns.
func copyTo(t testing.TB, m *masking.Masks, text string, n int) *masking.CopyPlan {
	t.Helper()
	format, err := sql.ReadCopyFormat(text)
	if err != nil {
		t.Fatal(err)
	}
	response := wire.CopyResponse{Columns: make([]uint16, n)}
	if format.Binary {
		response.Format = wire.FormatBinary
	}
	plan, err := m.Copy(response, format, read(t, text), copyLimit)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// copied is the data that come out, without the messages around them.
func copied(t testing.TB, plan *masking.CopyPlan, chunks ...[]byte) []byte {
	t.Helper()
	var out []byte
	for _, chunk := range chunks {
		messages, err := plan.Data(nil, chunk)
		if err != nil {
			t.Fatal(err)
		}
		for len(messages) > 0 {
			size := int(binary.BigEndian.Uint32(messages[1:])) + 1
			if messages[0] != wire.TypeCopyData {
				t.Fatalf("%q is no CopyData", messages[:size])
			}
			out, messages = append(out, messages[wire.HeaderSize:size]...), messages[size:]
		}
	}
	return out
}

// tuple is a row of a binary COPY.
func tuple(values ...[]byte) []byte {
	row := dataRow(values...)
	return row[wire.HeaderSize:]
}

var binaryHeader = []byte("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00")

func TestPG9_CopyIsMaskedInEveryFormatHoweverItIsCut(t *testing.T) {
	t.Parallel()
	four := []byte{0, 0, 0, 4}
	constant := v1alpha1.Mask{How: v1alpha1.MaskConstant, Constant: new("a\tb\\,\"c\"\n'd';")}
	for _, c := range []struct {
		text, in, want string
		how            v1alpha1.Mask
	}{
		{"COPY orders TO STDOUT", "1\tcanary\t2.5\n2\t\\N\t\\N\n3\tx\\ty\\\\\\nz\t1\n", "1\t[redacted]\t2.5\n2\t\\N\t\\N\n3\t[redacted]\t1\n", redact},
		{"COPY orders TO STDOUT", "1\tcanary\t2.5\n", "1\ta\\tb\\\\,\"c\"\\n'd';\t2.5\n", constant},
		{"COPY orders (email, id) TO STDOUT (DELIMITER '|', NULL '')", "ca\\|nary|1\n|2\n", "****ary|1\n|2\n", v1alpha1.Mask{How: v1alpha1.MaskPartial, KeepLast: 3}},
		{"COPY orders TO STDOUT (HEADER, FORMAT text)", "id\temail\tamount\n1\tcanary\t2\n", "id\temail\tamount\n1\t\\N\t2\n", v1alpha1.Mask{How: v1alpha1.MaskNull}},
		{"COPY orders TO STDOUT CSV", "1,canary,2\n2,,3\n3,\"\",4\n4,\"a,\"\"b\"\"\nc\",5\n", "1,\"[redacted]\",2\n2,,3\n3,\"[redacted]\",4\n4,\"[redacted]\",5\n", redact},
		{"COPY orders TO STDOUT CSV HEADER", "id,\"e\nmail\",amount\n1,canary,2\n", "id,\"e\nmail\",amount\n1,\"a\tb\\,\"\"c\"\"\n'd';\",2\n", constant},
		{"COPY orders TO STDOUT (FORMAT csv, DELIMITER ';', QUOTE '''', ESCAPE E'\\\\', NULL 'nil')", "1;'can\\'a\\\\;\nry';2\n2;nil;3\n3;'nil';4\n", "1;'a\tb\\\\,\"c\"\n\\'d\\';';2\n2;nil;3\n3;'a\tb\\\\,\"c\"\n\\'d\\';';4\n", constant},
		{"COPY (SELECT email || '', id FROM orders) TO STDOUT", "canary\t1\n", "\\N\t1\n", redact},
		{"COPY (SELECT id + 1 FROM orders) TO STDOUT", "7\n", "7\n", redact},
		{"COPY (DELETE FROM orders RETURNING id, email) TO STDOUT", "1\tcanary\n", "1\t[redacted]\n", redact},
		{"COPY orders_2026 TO STDOUT", "2.5\tcanary\t1\n", "2.5\t[redacted]\t1\n", redact},
		{"COPY orders TO STDOUT BINARY",
			string(binaryHeader) + string(tuple(four, []byte("canary"), nil)) + string(tuple(four, nil, four)) + "\xff\xff",
			string(binaryHeader) + string(tuple(four, []byte("[redacted]"), nil)) + string(tuple(four, nil, four)) + "\xff\xff", redact},
	} {
		m := masks(t, columns(c.how, "email"))
		n := 3
		if s := read(t, c.text); s.Outputs != nil {
			n = len(s.Outputs)
		}
		for cut := range c.in {
			plan := copyTo(t, m, c.text, n)
			got := copied(t, plan, []byte(c.in[:cut]), []byte(c.in[cut:]))
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Fatalf("%s, cut at %d: %s", c.text, cut, diff)
			}
			if err := plan.Done(); err != nil {
				t.Fatal(err)
			}
		}
		plan := copyTo(t, m, c.text, n)
		if got := copied(t, plan, bytes.SplitAfter([]byte(c.in), nil)...); string(got) != c.want {
			t.Fatalf("%s, byte by byte: %q", c.text, got)
		}
	}
}

func TestPG9_DetectorsSeeWhatCopySends(t *testing.T) {
	t.Parallel()
	for text, c := range map[string][2]string{
		"COPY plain TO STDOUT":     {"1\tmail bob@example.com\\tnow\n", "1\tmail [redacted]\\tnow\n"},
		"COPY plain TO STDOUT CSV": {"1,\"mail bob@example.com, now\"\n", "1,\"mail [redacted], now\"\n"},
		"COPY plain TO STDOUT BINARY": {string(binaryHeader) + string(tuple([]byte("1"), []byte("bob@example.com"))) + "\xff\xff",
			string(binaryHeader) + string(tuple([]byte("1"), []byte("[redacted]"))) + "\xff\xff"},
	} {
		m := masks(t, detectors(redact, v1alpha1.DetectEmail))
		if got := copied(t, copyTo(t, m, text, 2), []byte(c[0])); string(got) != c[1] {
			t.Errorf("%s: %q", text, got)
		}
	}
}

func TestPG2_CopyDataThatLieAreRefused(t *testing.T) {
	t.Parallel()
	m := masks(t, columns(redact, "email"))
	for _, c := range []struct{ name, text, in string }{
		{"fewer columns", "COPY orders TO STDOUT", "1\tcanary\n"},
		{"more columns", "COPY orders TO STDOUT", "1\tcanary\t2\t3\n"},
		{"fewer columns", "COPY orders TO STDOUT CSV", "1,canary\n"},
		{"more columns", "COPY orders TO STDOUT CSV", "1,canary,2,3\n"},
		{"no end", "COPY orders TO STDOUT", "1\tcanary\t2"},
		{"no end", "COPY orders TO STDOUT CSV", "1,\"canary\n"},
		{"an endless row", "COPY orders TO STDOUT", strings.Repeat("x", copyLimit+1)},
		{"no header", "COPY orders TO STDOUT BINARY", strings.Repeat("x", 100)},
		{"an endless header", "COPY orders TO STDOUT BINARY", string(binaryHeader[:15]) + "\x7f\xff\xff\xff"},
		{"another count", "COPY orders TO STDOUT BINARY", string(binaryHeader) + "\x00\x02"},
		{"a negative length", "COPY orders TO STDOUT BINARY", string(binaryHeader) + "\x00\x03\xff\xff\xff\xfe"},
		{"a negative count", "COPY orders TO STDOUT BINARY", string(binaryHeader) + "\xff\xfe"},
		{"bytes after its end", "COPY orders TO STDOUT BINARY", string(binaryHeader) + "\xff\xff\x00"},
		{"no end", "COPY orders TO STDOUT BINARY", string(binaryHeader) + "\x00"},
	} {
		plan := copyTo(t, m, c.text, 3)
		_, err := plan.Data(nil, []byte(c.in))
		if err == nil {
			err = plan.Done()
		}
		if !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s of %s: %v", c.name, c.text, err)
		}
	}
	format, _ := sql.ReadCopyFormat("COPY orders TO STDOUT")
	if _, err := m.Copy(wire.CopyResponse{Format: wire.FormatBinary}, format, nil, copyLimit); !errors.Is(err, wire.ErrMalformed) {
		t.Error(err)
	}
}

func FuzzCopy(f *testing.F) {
	f.Add([]byte("1\tcanary\t2\n"), byte(0), byte(3))
	f.Add([]byte("1,\"can\"\"ary\",2\n"), byte(1), byte(1))
	f.Add(append(bytes.Clone(binaryHeader), tuple([]byte("1"), []byte("canary"), nil)...), byte(2), byte(5))
	m := masks(f, columns(redact, "email"))
	f.Fuzz(func(t *testing.T, data []byte, kind, step byte) {
		text := []string{"COPY orders TO STDOUT", "COPY orders TO STDOUT CSV", "COPY orders TO STDOUT BINARY"}[kind%3]
		whole, wholeErr := copyTo(t, m, text, 3).Data(nil, data)
		cut := copyTo(t, m, text, 3)
		var pieces []byte
		var err error
		for at, n := 0, int(step)%16+1; at < len(data) && err == nil; at += n {
			pieces, err = cut.Data(pieces, data[at:min(at+n, len(data))])
		}
		if (err == nil) != (wholeErr == nil) {
			t.Fatalf("whole: %v, in pieces: %v", wholeErr, err)
		}
		if err == nil && kind%3 < 2 && !bytes.Equal(whole, pieces) {
			t.Fatalf("whole: %q, in pieces: %q", whole, pieces)
		}
	})
}
