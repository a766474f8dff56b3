package wire

// NegotiateVersion is a server's word that it speaks an older minor version, or
// does not know some options.
type NegotiateVersion struct {
	// Minor is the newest minor version of protocol 3 that it speaks.
	Minor   uint32
	Options []string
}

// ReadNegotiateVersion reads the body of a NegotiateProtocolVersion. Servers put
// either the minor version or the whole one in its first field.
func ReadNegotiateVersion(raw []byte) (NegotiateVersion, error) {
	b := body{message: "NegotiateProtocolVersion", rest: raw}
	v := NegotiateVersion{Minor: b.uint32() & 0xffff}
	n := int64(b.uint32())
	if n > int64(len(b.rest)) {
		b.fail("counts more than it holds")
	}
	for ; n > 0 && b.err == nil; n-- {
		v.Options = append(v.Options, b.string())
	}
	return v, b.done()
}
