package masking

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/mask"
)

// constant is a mask's constant as a value of the column's type and format; nil where
// it is none. For text and JSON the mask itself writes it.
func constant(m mask.Mask, c *column) []byte {
	if m.How != v1alpha1.MaskConstant {
		return nil
	}
	text := strings.TrimSpace(m.Constant)
	switch c.oid {
	case typeBool:
		return constantBool(text, c.binary)
	case typeInt2:
		return constantInteger(text, 16, c.binary)
	case typeInt4:
		return constantInteger(text, 32, c.binary)
	case typeInt8:
		return constantInteger(text, 64, c.binary)
	case typeFloat4:
		return constantFloat(text, 32, c.binary)
	case typeFloat8:
		return constantFloat(text, 64, c.binary)
	case typeUUID:
		return constantUUID(text, c.binary)
	}
	if !c.binary && legalText(text, c.oid) {
		return []byte(text)
	}
	return nil
}

var decimal = regexp.MustCompile(`^[+-]?\d{1,100}(\.\d{1,100})?$`)

// legalText says whether text is a value of a type that every PostgreSQL reads.
func legalText(text string, oid uint32) bool {
	var err error
	switch oid {
	case typeNumeric:
		return decimal.MatchString(text)
	case typeDate:
		_, err = time.Parse(time.DateOnly, text)
	case typeTimestamp:
		_, err = time.Parse(time.DateTime, text)
	case typeTimestamptz:
		_, err = time.Parse("2006-01-02 15:04:05Z07", text)
	case typeInet:
		if _, err = netip.ParseAddr(text); err != nil {
			_, err = netip.ParsePrefix(text)
		}
	default:
		return false
	}
	return err == nil
}

func constantBool(text string, binary bool) []byte {
	var value bool
	switch strings.ToLower(text) {
	case "t", "true", "on", "yes", "1":
		value = true
	case "f", "false", "off", "no", "0":
	default:
		return nil
	}
	switch {
	case binary && value:
		return []byte{1}
	case binary:
		return []byte{0}
	case value:
		return []byte("t")
	}
	return []byte("f")
}

func constantInteger(text string, bits int, binary bool) []byte {
	n, err := strconv.ParseInt(text, 10, bits)
	if err != nil {
		return nil
	}
	if !binary {
		return strconv.AppendInt(nil, n, 10)
	}
	return appendInteger(nil, n, bits)
}

// appendInteger appends a two's complement in network order.
func appendInteger(dst []byte, n int64, bits int) []byte {
	switch bits {
	case 16:
		return binary.BigEndian.AppendUint16(dst, uint16(n))
	case 32:
		return binary.BigEndian.AppendUint32(dst, uint32(n))
	}
	return binary.BigEndian.AppendUint64(dst, uint64(n))
}

func constantFloat(text string, bits int, inBinary bool) []byte {
	f, err := strconv.ParseFloat(text, bits)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return nil
	}
	switch {
	case !inBinary:
		return strconv.AppendFloat(nil, f, 'g', -1, bits)
	case bits == 32:
		return binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(f)))
	}
	return binary.BigEndian.AppendUint64(nil, math.Float64bits(f))
}

var uuidText = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func constantUUID(text string, binary bool) []byte {
	if !uuidText.MatchString(text) {
		return nil
	}
	if !binary {
		return []byte(strings.ToLower(text))
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil {
		return nil
	}
	return raw
}
