package krl

import (
	"encoding/binary"
	"math/big"
)

// serials reads a part as PROTOCOL.krl says.
func serials(p part) (out []uint64) {
	number := func(at int) uint64 { return binary.BigEndian.Uint64(p.data[at:]) }
	switch p.kind {
	case certSerialList:
		for at := 0; at < len(p.data); at += 8 {
			out = append(out, number(at))
		}
	case certSerialRange:
		for serial := number(0); serial <= number(8); serial++ {
			out = append(out, serial)
		}
	case certBitmap:
		bits := new(big.Int).SetBytes(p.data[12:])
		for bit := range bits.BitLen() {
			if bits.Bit(bit) == 1 {
				out = append(out, number(0)+uint64(bit))
			}
		}
	}
	return out
}
