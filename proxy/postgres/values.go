package postgres

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// maxValue is the most of one value that is recorded as it is, in bytes; of a
// longer one the record keeps size and hash as well.
const maxValue = 64 << 10

// bound is a portal's values as they came.
func bound(b wire.Bind) []policy.Value {
	if len(b.Values) == 0 {
		return nil
	}
	values := make([]policy.Value, len(b.Values))
	for i, value := range b.Values {
		values[i] = policy.Value{Null: value == nil, Binary: b.Format(i) == wire.FormatBinary, Text: string(value)}
	}
	return values
}

// literals is a portal's values as SQL would write them: 'text', NULL, or the bytes
// of a binary value with its type's OID.
func literals(b wire.Bind, types []uint32) []string {
	if len(b.Values) == 0 {
		return nil
	}
	values := make([]string, len(b.Values))
	for i, value := range b.Values {
		values[i] = literal(value, b.Format(i), oid(types, i))
	}
	return values
}

func literal(value []byte, format uint16, oid uint32) string {
	if value == nil {
		return "NULL"
	}
	suffix := ""
	if len(value) > maxValue {
		digest := sha256.Sum256(value)
		suffix = fmt.Sprintf(" /* the first of %d bytes, SHA-256 %x */", len(value), digest)
		value = value[:maxValue]
	}
	if format == wire.FormatText && utf8.Valid(value) {
		return "'" + strings.ReplaceAll(string(value), "'", "''") + "'" + suffix
	}
	text := `'\x` + hex.EncodeToString(value) + "'"
	if oid != 0 {
		text += fmt.Sprintf(" /* type %d */", oid)
	}
	return text + suffix
}

func oid(types []uint32, i int) uint32 {
	if i < len(types) {
		return types[i]
	}
	return 0
}
