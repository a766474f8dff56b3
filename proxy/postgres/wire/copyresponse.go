package wire

// CopyResponse opens a stream of CopyData.
type CopyResponse struct {
	// Format of the whole: FormatText or FormatBinary.
	Format byte
	// Columns are the formats of the columns.
	Columns []uint16
}

// ReadCopyResponse reads the body of a CopyInResponse or CopyOutResponse.
func ReadCopyResponse(raw []byte) (CopyResponse, error) {
	b := body{message: "CopyInResponse or CopyOutResponse", rest: raw}
	c := CopyResponse{Format: b.byte()}
	if c.Format > FormatBinary {
		b.fail("a format is 0 or 1")
	}
	c.Columns = b.formats()
	return c, b.done()
}
