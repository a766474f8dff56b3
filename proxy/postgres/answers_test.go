package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/mask"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// recorder is a session that records in memory, and may fail.
type recorder struct {
	door
	state   grant.State
	fail    error
	mu      sync.Mutex
	results []record.Result
	outputs []record.Output
}

func (r *recorder) State() grant.State { return r.state }

func (r *recorder) Result(_ context.Context, result record.Result) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results = append(r.results, result)
	return nil
}

func (r *recorder) Output(_ context.Context, output record.Output) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail == nil && len(r.outputs) < 1000 {
		r.outputs = append(r.outputs, record.Output{Operation: output.Operation, Columns: output.Columns, Rows: output.Rows, Bytes: output.Bytes, Block: bytes.Clone(output.Block)})
	}
	return r.fail
}

// sink is a client that takes everything.
type sink struct {
	net.Conn
	to io.Writer
}

func (s *sink) Write(p []byte) (int, error) { return s.to.Write(p) }

// answered is what a client gets of a target that says this to one query, and the
// error that ended it; a target that has said all is an EOF.
func answered(session *recorder, masks v1alpha1.MaskingPolicy, to io.Writer, said io.Reader) error {
	set, err := mask.Compile(masks)
	if err != nil {
		return err
	}
	r := &relay{
		client: &client{Conn: &sink{to: to}}, up: &Upstream{reader: wire.NewReader(said, wire.BackendLimits(wire.DefaultMaxMessage))},
		session: session, pipeline: newPipeline(wire.StatusIdle), over: make(chan struct{}), masks: set.WithKey([]byte("key")),
	}
	r.once.Do(func() {}) // The end is the caller's to see.
	b := &backend{relay: r, ctx: context.Background(), masked: newMasked(r, wire.DefaultMaxMessage), output: newOutput(context.Background(), r)}
	reading := &sql.Statement{}
	r.pipeline.push(&step{kind: stepQuery, operations: []int64{1}, readings: []*sql.Statement{reading}, formats: []*sql.CopyFormat{{Delimiter: '\t', Null: `\N`}}})
	return b.run()
}

func encode(messages ...pgproto3.BackendMessage) []byte {
	var out []byte
	for _, m := range messages {
		out, _ = m.Encode(out)
	}
	return out
}

// nameless is a result of text columns without an origin; with nil for a catalog
// each may be masked.
func nameless(n int) *pgproto3.RowDescription {
	d := &pgproto3.RowDescription{}
	for i := range n {
		d.Fields = append(d.Fields, pgproto3.FieldDescription{Name: fmt.Append(nil, "c", i), DataTypeOID: 25})
	}
	return d
}

var (
	oneRow    = &pgproto3.DataRow{Values: [][]byte{[]byte("bob@example.com")}}
	completed = &pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}
	idle      = &pgproto3.ReadyForQuery{TxStatus: 'I'}
)

func kept() *recorder {
	return &recorder{state: grant.State{Grant: &grant.Grant{Policy: v1alpha1.AccessPolicySpec{
		Recording: v1alpha1.RecordingPolicy{Output: v1alpha1.OutputFull},
	}}}}
}

func mail() v1alpha1.MaskingPolicy {
	return v1alpha1.MaskingPolicy{Detectors: []v1alpha1.DetectorMask{{Name: "mail", Detect: v1alpha1.DetectEmail, Mask: redact}}}
}

func TestPG2_AHostileServerCannotPassRowsByTheMasks(t *testing.T) {
	t.Parallel()
	for name, messages := range map[string][]pgproto3.BackendMessage{
		"rows without a description":      {oneRow, completed, idle},
		"rows of another width":           {nameless(2), oneRow, completed, idle},
		"rows after their end":            {nameless(1), completed, oneRow, idle},
		"COPY data without a COPY":        {nameless(1), &pgproto3.CopyData{Data: []byte("bob@example.com\n")}},
		"COPY data in another format":     {&pgproto3.CopyOutResponse{OverallFormat: 1, ColumnFormatCodes: []uint16{1}}, &pgproto3.CopyData{Data: []byte("bob@example.com")}},
		"COPY data of another width":      {&pgproto3.CopyOutResponse{ColumnFormatCodes: []uint16{0, 0}}, &pgproto3.CopyData{Data: []byte("bob@example.com\n")}},
		"COPY data without an end":        {&pgproto3.CopyOutResponse{ColumnFormatCodes: []uint16{0}}, &pgproto3.CopyData{Data: []byte("bob@example.com")}, &pgproto3.CopyDone{}},
		"rows in a COPY":                  {&pgproto3.CopyOutResponse{ColumnFormatCodes: []uint16{0}}, oneRow},
		"rows under an older description": {nameless(1), &pgproto3.ErrorResponse{Severity: "ERROR", Code: "XX000"}, oneRow},
	} {
		var out bytes.Buffer
		if err := answered(&recorder{}, mail(), &out, bytes.NewReader(encode(messages...))); !errors.Is(err, wire.ErrMalformed) || bytes.Contains(out.Bytes(), []byte("@")) {
			t.Errorf("%s: %q, %v", name, out.Bytes(), err)
		}
	}
}

func TestPG9_ARowIsMaskedHoweverItIsCut(t *testing.T) {
	t.Parallel()
	said := encode(nameless(2), &pgproto3.DataRow{Values: [][]byte{[]byte("mail bob@example.com"), nil}}, &pgproto3.NoticeResponse{Severity: "NOTICE", Code: "00000", Message: "al@example.com"},
		&pgproto3.DataRow{Values: [][]byte{[]byte("none"), []byte("x")}}, completed, idle)
	want := encode(nameless(2), &pgproto3.DataRow{Values: [][]byte{[]byte("mail [redacted]"), nil}})
	for cut := range said {
		var out bytes.Buffer
		session := kept()
		_ = answered(session, mail(), &out, io.MultiReader(bytes.NewReader(said[:cut]), bytes.NewReader(said[cut:])))
		if !bytes.HasPrefix(out.Bytes(), want) || bytes.Contains(out.Bytes(), []byte("@")) || !bytes.HasSuffix(out.Bytes(), encode(completed, idle)) {
			t.Fatalf("cut at %d: %q", cut, out.Bytes())
		}
		var rows record.Rows
		if got, err := rows.Add(session.outputs[0]); err != nil || len(got) != 2 || string(got[0].Values[0]) != "mail [redacted]" {
			t.Fatalf("cut at %d: %q, %v", cut, got, err)
		}
		if counts := session.results[0].Masked; counts["detector mail"] != 2 {
			t.Fatal(counts)
		}
	}
}

func TestOutputThatCannotBeRecordedEndsTheSession(t *testing.T) {
	t.Parallel()
	full := errors.New("no space left on device")
	row := &pgproto3.DataRow{Values: [][]byte{bytes.Repeat([]byte("x"), 100<<10)}}
	for name, rows := range map[string]int{"one row": 1, "many blocks": 50} {
		messages := []pgproto3.BackendMessage{nameless(1)}
		for range rows {
			messages = append(messages, row)
		}
		session := kept()
		session.fail = full
		var out bytes.Buffer
		err := answered(session, v1alpha1.MaskingPolicy{}, &out, bytes.NewReader(encode(append(messages, completed, idle)...)))
		if !errors.Is(err, full) || bytes.HasSuffix(out.Bytes(), encode(idle)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOutputOfManyBlocksIsRecordedWholeAndInOrder(t *testing.T) {
	t.Parallel()
	said := encode(nameless(1))
	for i := range 300 {
		said = append(said, encode(&pgproto3.DataRow{Values: [][]byte{fmt.Append(bytes.Repeat([]byte{byte(i)}, i*100), i)}})...)
	}
	session := kept()
	var out bytes.Buffer
	if err := answered(session, v1alpha1.MaskingPolicy{}, &out, bytes.NewReader(append(said, encode(completed, idle)...))); err == nil {
		t.Fatal("the end of the target is no error")
	}
	var rows record.Rows
	seen, begun := 0, int64(0)
	for _, output := range session.outputs {
		list, err := rows.Add(output)
		if err != nil {
			t.Fatal(err)
		}
		begun += output.Rows
		for _, row := range list {
			if want := fmt.Append(bytes.Repeat([]byte{byte(seen)}, seen*100), seen); !bytes.Equal(row.Values[0], want) {
				t.Fatalf("row %d is another", seen)
			}
			seen++
		}
	}
	if seen != 300 || begun != 300 || len(session.outputs) < 10 || len(session.outputs[0].Columns) != 1 || session.outputs[1].Columns != nil {
		t.Errorf("%d rows, %d begun, %d blocks", seen, begun, len(session.outputs))
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add(encode(nameless(1), oneRow, completed, idle))
	f.Add(encode(&pgproto3.CopyOutResponse{ColumnFormatCodes: []uint16{0}}, &pgproto3.CopyData{Data: []byte("bob@example.com\n")}, &pgproto3.CopyDone{}, completed, idle))
	f.Add(encode(nameless(1), &pgproto3.ErrorResponse{Severity: "ERROR", Code: "22P02", Message: "bob@example.com"}, idle))
	f.Add(encode(&pgproto3.NotificationResponse{Channel: "c", Payload: "bob@example.com"}, &pgproto3.ParameterStatus{Name: "application_name", Value: "bob@example.com"}))
	f.Fuzz(func(t *testing.T, said []byte) {
		masks := mail()
		masks.Columns = []v1alpha1.ColumnMask{{Schema: "public", Relation: "people", Column: "email", Mask: redact}}
		session := kept()
		var out bytes.Buffer
		if err := answered(session, masks, &out, bytes.NewReader(said)); err == nil {
			t.Fatal("a target that has ended goes on")
		}
		for rest := out.Bytes(); len(rest) > 0; {
			if len(rest) < wire.HeaderSize {
				t.Fatalf("half a message: %q", rest)
			}
			size := int(binary.BigEndian.Uint32(rest[1:])) + 1
			if size > len(rest) {
				t.Fatalf("half a message: %q", rest)
			}
			rest = rest[size:]
		}
	})
}

// The way of rows from a target's bytes to a client's, without a network.
func BenchmarkRows(b *testing.B) {
	said := encode(nameless(4))
	for i := range 200_000 {
		said = append(said, encode(&pgproto3.DataRow{Values: [][]byte{
			fmt.Append(nil, i), fmt.Appendf(nil, "customer-%d@example", i), fmt.Appendf(nil, "a note of some length about order %d", i), []byte("12.50"),
		}})...)
	}
	said = append(said, encode(completed, idle)...)
	column := v1alpha1.MaskingPolicy{Columns: []v1alpha1.ColumnMask{{Schema: "public", Relation: "people", Column: "email", Mask: redact}}}
	var all v1alpha1.MaskingPolicy
	for i, form := range []v1alpha1.Detect{v1alpha1.DetectPaymentCard, v1alpha1.DetectEmail, v1alpha1.DetectPhone, v1alpha1.DetectIBAN,
		v1alpha1.DetectNationalID, v1alpha1.DetectIPAddress, v1alpha1.DetectJWT, v1alpha1.DetectPrivateKey, v1alpha1.DetectCloudKey} {
		all.Detectors = append(all.Detectors, v1alpha1.DetectorMask{Name: fmt.Sprint("d", i), Detect: form, Mask: redact})
	}
	for _, c := range []struct {
		name    string
		masks   v1alpha1.MaskingPolicy
		session *recorder
	}{
		{"as they are", v1alpha1.MaskingPolicy{}, &recorder{}}, {"column masks", column, &recorder{}},
		{"all detectors", all, &recorder{}}, {"output recorded", v1alpha1.MaskingPolicy{}, kept()},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(said)))
			for b.Loop() {
				c.session.outputs = c.session.outputs[:0]
				if err := answered(c.session, c.masks, io.Discard, bytes.NewReader(said)); err == nil {
					b.Fatal("a target that has ended goes on")
				}
			}
		})
	}
}
