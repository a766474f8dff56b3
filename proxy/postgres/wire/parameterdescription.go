package wire

// ReadParameterDescription reads the body of a ParameterDescription: the types of
// a statement's parameters, by OID.
func ReadParameterDescription(raw []byte) ([]uint32, error) {
	b := body{message: "ParameterDescription", rest: raw}
	types := make([]uint32, b.count(4))
	for i := range types {
		types[i] = b.uint32()
	}
	return types, b.done()
}
