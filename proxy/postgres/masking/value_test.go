package masking_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

const canary = "canary@example.com"

// samples are a value of each type that clients meet, as pgx encodes it.
var samples = []struct {
	oid   uint32
	value any
}{
	{pgtype.BoolOID, true}, {pgtype.Int2OID, int16(31234)}, {pgtype.Int4OID, int32(1876543210)}, {pgtype.Int8OID, int64(4111111111111111)},
	{pgtype.OIDOID, uint32(987654321)}, {pgtype.Float4OID, float32(1.25)}, {pgtype.Float8OID, 1234.5},
	{pgtype.NumericOID, numeric("4111111111111111.50")}, {pgtype.TextOID, canary}, {pgtype.VarcharOID, canary}, {pgtype.BPCharOID, canary},
	{pgtype.NameOID, canary}, {pgtype.ByteaOID, []byte(canary)}, {pgtype.UUIDOID, [16]byte{0x6f, 0x1f, 0x7a, 15: 0x11}},
	{pgtype.DateOID, time.Date(2020, 2, 3, 0, 0, 0, 0, time.UTC)}, {pgtype.TimestampOID, time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)},
	{pgtype.TimestamptzOID, time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)}, {pgtype.TimeOID, "04:05:06"}, {pgtype.IntervalOID, "1 day"},
	{pgtype.InetOID, netip.MustParsePrefix("192.0.2.7/32")}, {pgtype.CIDROID, netip.MustParsePrefix("192.0.2.0/24")},
	{pgtype.MacaddrOID, "08:00:2b:01:02:03"}, {pgtype.JSONOID, `{"email": "` + canary + `"}`}, {pgtype.JSONBOID, `{"email": "` + canary + `"}`},
	{pgtype.XMLOID, []byte("<email>" + canary + "</email>")}, {pgtype.TextArrayOID, []string{canary, "other"}}, {pgtype.Int4ArrayOID, []int32{1, 2}},
	{pgtype.Int8ArrayOID, []int64{1, 4111111111111111}}, {pgtype.PointOID, "(1,2)"}, {pgtype.BitOID, "101"},
	{pgtype.DaterangeOID, "[2020-01-01,2020-02-01)"}, {pgtype.Int4rangeOID, "[1,5)"}, {pgtype.JSONBArrayOID, []string{`{"e": "` + canary + `"}`}},
}

func numeric(text string) pgtype.Numeric {
	var n pgtype.Numeric
	if err := n.Scan(text); err != nil {
		panic(err)
	}
	return n
}

// encoded is the samples in both formats, where pgx knows how.
func encoded(t *testing.T, check func(oid uint32, format int16, value []byte)) {
	t.Helper()
	types := pgtype.NewMap()
	for _, sample := range samples {
		for _, format := range []int16{pgtype.TextFormatCode, pgtype.BinaryFormatCode} {
			value, err := types.Encode(sample.oid, format, sample.value, nil)
			if text, ok := sample.value.(string); ok && (err != nil || format == pgtype.TextFormatCode) {
				value, err = []byte(text), nil
				if format == pgtype.BinaryFormatCode {
					continue
				}
			}
			if err != nil {
				t.Fatalf("type %d, format %d: %v", sample.oid, format, err)
			}
			check(sample.oid, format, value)
		}
	}
}

// decodes fails for a value that is not legal for its type and format.
func decodes(t *testing.T, oid uint32, format int16, value []byte) {
	t.Helper()
	types := pgtype.NewMap()
	known, ok := types.TypeForOID(oid)
	if !ok {
		return
	}
	if _, err := known.Codec.DecodeValue(types, oid, format, value); err != nil {
		t.Errorf("%s in format %d: %q: %v", known.Name, format, value, err)
	}
}

func TestPG9_EveryMaskedValueIsLegalForItsTypeAndFormat(t *testing.T) {
	t.Parallel()
	constants := []string{
		"", "x", `a "quoted" \ one`, "<b>&", "{1,2}", "true", "42", "-1", "99999999999999999999", "1.5", "NaN", "2021-03-04",
		"2021-03-04 05:06:07", "2021-03-04 05:06:07+00", "7d444840-9dc0-11d1-b245-5ffdce74fad2", "198.51.100.1", "198.51.100.0/24", "é",
	}
	hows := []v1alpha1.Mask{
		redact, {How: v1alpha1.MaskNull}, {How: v1alpha1.MaskHash}, {How: v1alpha1.MaskPartial, KeepLast: 4}, {How: v1alpha1.MaskPartial, KeepLast: 1},
	}
	for _, constant := range constants {
		hows = append(hows, v1alpha1.Mask{How: v1alpha1.MaskConstant, Constant: new(constant)})
	}
	for _, how := range hows {
		m := masks(t, columns(how, "email"))
		encoded(t, func(oid uint32, format int16, value []byte) {
			plan := m.Result([]wire.Column{{Table: ordersOID, Attribute: 2, Type: oid, Format: uint16(format), Modifier: -1}}, nil)
			row, err := plan.Row(nil, dataRow(value))
			if err != nil {
				t.Fatal(err)
			}
			got := values(t, row)[0]
			if got == nil {
				return
			}
			if bytes.Equal(got, value) && len(value) > 4 {
				t.Errorf("%v: type %d stays %q", how, oid, got)
			}
			if bytes.Contains(got, []byte("canary@")) {
				t.Errorf("%v: type %d: %q", how, oid, got)
			}
			decodes(t, oid, format, got)
		})
	}
}

func TestPG9_WhatDetectorsLeaveIsLegalForItsTypeAndFormat(t *testing.T) {
	t.Parallel()
	forms := []v1alpha1.Detect{v1alpha1.DetectEmail, v1alpha1.DetectPaymentCard, v1alpha1.DetectIPAddress}
	for _, how := range []v1alpha1.Mask{
		redact, {How: v1alpha1.MaskNull}, {How: v1alpha1.MaskHash}, {How: v1alpha1.MaskPartial, KeepLast: 4},
		{How: v1alpha1.MaskConstant, Constant: new(`a "quoted", \ one`)}, {How: v1alpha1.MaskConstant, Constant: new("7")},
	} {
		m := masks(t, detectors(how, forms...))
		hits := 0
		encoded(t, func(oid uint32, format int16, value []byte) {
			plan := m.Result([]wire.Column{{Type: oid, Format: uint16(format), Modifier: -1}}, nil)
			row, err := plan.Row(nil, dataRow(value))
			if err != nil {
				t.Fatal(err)
			}
			got := values(t, row)[0]
			if !bytes.Equal(got, value) {
				hits++
			}
			if got == nil {
				return
			}
			if oid != pgtype.ByteaOID && bytes.Contains(got, []byte("canary@")) {
				t.Errorf("%v: type %d, format %d: %q", how, oid, format, got)
			}
			decodes(t, oid, format, got)
		})
		if hits < 20 {
			t.Errorf("%v: only %d values were masked", how, hits)
		}
	}
}

func TestPG9_AHashIsTheSameInBothFormatsSoThatJoinsWork(t *testing.T) {
	t.Parallel()
	m := masks(t, columns(v1alpha1.Mask{How: v1alpha1.MaskHash}, "email"))
	types := pgtype.NewMap()
	for _, sample := range []struct {
		oid   uint32
		value any
		text  string
	}{
		{pgtype.Int2OID, int16(-7), "-7"}, {pgtype.Int4OID, int32(123456), "123456"}, {pgtype.Int8OID, int64(1) << 60, "1152921504606846976"},
		{pgtype.OIDOID, uint32(4000000000), "4000000000"}, {pgtype.UUIDOID, [16]byte{0x6f, 0x1f, 0x7a, 0x52, 0x9a, 0x0f, 0x4b, 0x57, 0x9d, 0x0e, 0x0d, 0x7d, 0x2a, 0x4f, 0x8b, 0x11}, "6f1f7a52-9a0f-4b57-9d0e-0d7d2a4f8b11"},
		{pgtype.NumericOID, numeric("12345.67"), "12345.6700"}, {pgtype.NumericOID, numeric("-0.000120"), "-0.00012"}, {pgtype.NumericOID, numeric("100000000"), "100000000"},
		{pgtype.TextOID, canary, canary},
	} {
		var decoded [2]any
		for format := range int16(2) {
			value := []byte(sample.text)
			if format == pgtype.BinaryFormatCode {
				var err error
				if value, err = types.Encode(sample.oid, format, sample.value, nil); err != nil {
					t.Fatal(err)
				}
			}
			plan := m.Result([]wire.Column{{Table: ordersOID, Attribute: 2, Type: sample.oid, Format: uint16(format), Modifier: -1}}, nil)
			row, err := plan.Row(nil, dataRow(value))
			if err != nil {
				t.Fatal(err)
			}
			known, _ := types.TypeForOID(sample.oid)
			if decoded[format], err = known.Codec.DecodeValue(types, sample.oid, format, values(t, row)[0]); err != nil {
				t.Fatal(err)
			}
		}
		if fmt.Sprint(decoded[0]) != fmt.Sprint(decoded[1]) || decoded[0] == nil {
			t.Errorf("type %d: %v as text, %v as binary", sample.oid, decoded[0], decoded[1])
		}
	}
}

func TestAHashedNumericFitsItsPrecision(t *testing.T) {
	t.Parallel()
	m := masks(t, columns(v1alpha1.Mask{How: v1alpha1.MaskHash}, "amount"))
	for _, c := range []struct {
		precision, scale int32
		digits           int
	}{{10, 2, 8}, {38, 0, 16}, {3, 3, 0}, {1, 0, 1}} {
		plan := m.Result([]wire.Column{{Table: ordersOID, Attribute: 3, Type: pgtype.NumericOID, Modifier: c.precision<<16 + c.scale + 4}}, nil)
		row, err := plan.Row(nil, dataRow([]byte("1.5")))
		if err != nil {
			t.Fatal(err)
		}
		if got := values(t, row)[0]; len(got) > c.digits || (got == nil) != (c.digits == 0) {
			t.Errorf("numeric(%d,%d): %q", c.precision, c.scale, got)
		}
	}
}
