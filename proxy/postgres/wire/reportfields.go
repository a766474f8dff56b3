package wire

import "encoding/binary"

// ReportField is one field of an ErrorResponse or NoticeResponse.
// https://www.postgresql.org/docs/current/protocol-error-fields.html
type ReportField struct {
	// Code says what it is: 'M' the message, 'C' the SQLSTATE.
	Code byte
	// Value lies in the message's own bytes.
	Value []byte
}

// maxReportFields bounds what a report says; PostgreSQL has 18 of them.
const maxReportFields = 64

// ReadReportFields reads the body of an ErrorResponse or NoticeResponse, field by field.
func ReadReportFields(raw []byte) ([]ReportField, error) {
	b := body{message: "ErrorResponse or NoticeResponse", rest: raw}
	var fields []ReportField
	for b.err == nil {
		code := b.byte()
		if code == 0 {
			break
		}
		if len(fields) == maxReportFields {
			b.fail("too many fields")
		}
		fields = append(fields, ReportField{code, b.cstring()})
	}
	return fields, b.done()
}

// AppendReportFields is an ErrorResponse or NoticeResponse, by its type, of these
// fields. What follows a zero byte in a value is left out.
func AppendReportFields(dst []byte, messageType byte, fields []ReportField) []byte {
	begin := len(dst)
	dst = append(dst, messageType, 0, 0, 0, 0)
	for _, field := range fields {
		dst = append(dst, field.Code)
		for _, c := range field.Value {
			if c == 0 {
				break
			}
			dst = append(dst, c)
		}
		dst = append(dst, 0)
	}
	dst = append(dst, 0)
	binary.BigEndian.PutUint32(dst[begin+1:], uint32(len(dst)-begin-1))
	return dst
}
