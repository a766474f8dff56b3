package wire

import "slices"

// Formats of a value.
const (
	FormatText   = 0
	FormatBinary = 1
)

// Bind makes a portal: a prepared statement with values.
type Bind struct {
	Portal, Statement string
	// Formats of the values: none is text for all, one is for all.
	Formats []uint16
	// Values lie in the message's own bytes; nil is NULL.
	Values [][]byte
	// ResultFormats as Formats, for the columns of the result.
	ResultFormats []uint16
}

// ReadBind reads the body of a Bind.
func ReadBind(raw []byte) (Bind, error) {
	b := body{message: "Bind", rest: raw}
	bind := Bind{Portal: b.string(), Statement: b.string(), Formats: b.formats()}
	if n := b.count(4); n > 0 {
		bind.Values = make([][]byte, n)
		for i := range bind.Values {
			bind.Values[i] = b.value()
		}
	}
	bind.ResultFormats = b.formats()
	if f := len(bind.Formats); f > 1 && f != len(bind.Values) {
		b.fail("as many formats as values, or one, or none")
	}
	if err := b.done(); err != nil {
		return Bind{}, err
	}
	return bind, nil
}

// Format of the value at index i.
func (b Bind) Format(i int) uint16 {
	switch len(b.Formats) {
	case 0:
		return FormatText
	case 1:
		return b.Formats[0]
	}
	return b.Formats[i]
}

// value takes a length and that many bytes; length -1 is NULL.
func (b *body) value() []byte {
	n := int32(b.uint32())
	if n == -1 {
		return nil
	}
	return b.bytes(int(n))
}

// formats takes a list of format codes.
func (b *body) formats() []uint16 {
	n := b.count(2)
	if n == 0 {
		return nil
	}
	codes := make([]uint16, n)
	for i := range codes {
		codes[i] = b.uint16()
	}
	if slices.ContainsFunc(codes, func(c uint16) bool { return c > FormatBinary }) {
		b.fail("a format is 0 or 1")
	}
	return codes
}
